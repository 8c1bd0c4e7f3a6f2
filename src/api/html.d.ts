// wrangler and its vitest plugin bundle *.html as text.
declare module '*.html' {
  const text: string
  export default text
}
