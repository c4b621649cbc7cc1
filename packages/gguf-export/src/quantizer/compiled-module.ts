/** The compiled quantisers, and the script of workers that run them. */
export interface CompiledModule {
  readonly module: WebAssembly.Module;
  readonly workerScript: string;
}

/** Compiles the module, once it is asked for; nothing where there is no WebAssembly, none with SIMD, or a page's policy forbids it. */
export async function compileModule(): Promise<CompiledModule | undefined> {
  const { MODULE, WORKER_SCRIPT } = await import("./compiled.js");
  try {
    const module = await WebAssembly.compile(Uint8Array.from(atob(MODULE), (char) => char.charCodeAt(0)));
    return { module, workerScript: WORKER_SCRIPT };
  } catch {
    return undefined;
  }
}
