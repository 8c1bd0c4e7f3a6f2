// The package has no types of its own; these are of what the bench uses.

declare module '@micropython/micropython-webassembly-pyscript' {
  export function loadMicroPython(options: { heapsize: number; pystack: number; url?: string }): Promise<{
    _module: object
    runPython(code: string): unknown
    globals: { get(name: string): unknown }
  }>
}
