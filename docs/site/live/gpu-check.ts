/** What keeps this browser from training, in a sentence each: what is the case, and what to do. */
export interface NoGpu {
  problem: string;
  advice: readonly string[];
}

/** Whether this page can have a GPU; undefined if so. */
export async function findNoGpu(): Promise<NoGpu | undefined> {
  if (!isSecureContext)
    return {
      problem: "This page was not loaded securely, and browsers then offer no WebGPU.",
      advice: ["Open it over https, or from localhost."],
    };
  if (typeof Worker === "undefined" || !navigator.gpu)
    return {
      problem: "This browser has no WebGPU.",
      advice: [
        "A current Chrome, Edge, Safari or Firefox has it on most machines.",
        "It may be there and switched off: chrome://flags/#enable-unsafe-webgpu, or dom.webgpu.enabled in about:config.",
      ],
    };
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  if (adapter) return undefined;
  return {
    problem: "This browser has WebGPU and gives no GPU.",
    advice: [
      "Switch on hardware acceleration in the browser's settings, and update the browser and the graphics driver.",
      "chrome://gpu or about:support says why WebGPU is off.",
    ],
  };
}
