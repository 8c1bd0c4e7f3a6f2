// What the bundler makes of files that are no TypeScript (wrangler.toml, rules).

declare module '*.wasm' {
  const module: WebAssembly.Module
  export default module
}

declare module '*.qjs' {
  const text: string
  export default text
}

declare module '*.py' {
  const text: string
  export default text
}
