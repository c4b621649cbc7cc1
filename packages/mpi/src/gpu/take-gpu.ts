import { CapabilityError } from "@kto/core";
import { hideFiles } from "./landlock.js";
import { chosenGpus, nvidiaGpus, type NvidiaGpu } from "./nvidia-gpus.js";

export type { NvidiaGpu } from "./nvidia-gpus.js";

/** Which rank of a machine wants a GPU. */
export interface GpuClaim {
  localRank: number;
  /** Ranks may share a GPU. */
  shares?: boolean | undefined;
  env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** The GPU of a rank, and how it came to it. */
export interface TakenGpu extends NvidiaGpu {
  /** `alone`: the process sees no other. `hidden`: the others were hidden from it. */
  how: "alone" | "hidden";
}

/**
 * Leaves this process one GPU of NVIDIA's: that of its rank on this machine, in the order of `nvidia-smi` or of `CUDA_VISIBLE_DEVICES`. Where the process sees several, the device
 * nodes of the others are hidden from it (Landlock; no root), since Vulkan's loader cannot tell equal cards apart. Before Dawn is loaded; nothing gives the others back.
 *
 * @returns undefined where there is no GPU of NVIDIA's driver
 * @throws CapabilityError where there are more ranks than GPUs and `shares` is not set, or the kernel cannot hide a device
 */
export function takeGpu({ localRank, shares = false, env = process.env }: GpuClaim): TakenGpu | undefined {
  const visible = nvidiaGpus();
  const chosen = chosenGpus(visible, env);
  const gpu = gpuOf(chosen, { localRank, shares });
  if (!gpu) return undefined;
  const others = visible.filter(({ node }) => node !== gpu.node);
  if (others.length === 0) return { ...gpu, how: "alone" };
  if (hideFiles(others.map(({ node }) => node))) return { ...gpu, how: "hidden" };
  throw new CapabilityError(
    `mpi: a process cannot be held to one of ${visible.length} GPUs here; expected Linux 5.13 or later with Landlock, got a kernel without; start each rank so that it sees one GPU (srun --gpus-per-task=1 with ConstrainDevices, a container, a mount over the other /dev/nvidia*)`,
    { missing: "landlock" },
  );
}

/** Settings of Open MPI and UCX, which must not read another process's memory through the kernel: Landlock forbids it to processes with rights of their own. */
const withoutReads = { OMPI_MCA_btl_vader_single_copy_mechanism: "none", OMPI_MCA_smsc: "^cma", UCX_TLS: "^cma" } as const;

/** Before MPI begins: where a GPU may be hidden later, has MPI copy through shared memory alone. What the user has set stays. */
export function prepareToHide(): void {
  if (nvidiaGpus().length > 1) for (const [name, value] of Object.entries(withoutReads)) process.env[name] ??= value;
}

/** Of the GPUs that a rank may have the one that it takes. A single one was meant for it. */
export function gpuOf(gpus: readonly NvidiaGpu[], { localRank, shares }: { localRank: number; shares: boolean }): NvidiaGpu | undefined {
  if (gpus.length <= 1 || shares) return gpus[localRank % Math.max(1, gpus.length)];
  if (localRank < gpus.length) return gpus[localRank];
  throw new CapabilityError(
    `mpi: there are more ranks on this machine than GPUs; expected at most ${gpus.length}, got rank ${localRank} counted from 0; start fewer, or let ranks share a GPU`,
    { missing: "a GPU for each rank" },
  );
}
