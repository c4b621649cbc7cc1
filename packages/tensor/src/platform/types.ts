import type { ErrorParts } from "@kto/core";

/** What is said where WebGPU finds no adapter. */
export type NoAdapter = Omit<ErrorParts, "operation">;

/** How `openGpu` opens WebGPU; both fields matter in Node only. */
export interface GpuOptions {
  /** Dawn's null backend: compiles shaders on any machine and computes nothing. */
  nullBackend?: boolean;
  /** Part of an adapter's name, in any letter case. */
  adapter?: string | undefined;
}

/** An open WebGPU implementation. */
export interface GpuHandle {
  gpu: GPU;
  /** Drops the last reference, after which the process can exit. */
  release(): void;
}
