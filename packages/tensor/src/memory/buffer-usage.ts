/** What buffers are for, as WebGPU numbers it: where there is no WebGPU, a rehearsal counts buffers all the same. */
export const bufferUsage = { mapRead: 0x1, mapWrite: 0x2, copySource: 0x4, copyTarget: 0x8, uniform: 0x40, storage: 0x80 } as const;
