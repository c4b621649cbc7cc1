import { execFileSync } from "node:child_process";
import type { Device } from "@kto/tensor";

/** What Dawn says of the adapter behind a device. */
export interface AdapterInfo {
  name: string;
  vendor: string;
  architecture: string;
  driver: string;
}

/** Memory of a GPU. */
export interface GpuMemory {
  totalBytes: number;
  freeBytes: number;
}

/** Name, vendor, architecture and driver of a device's adapter. */
export function adapterInfo(device: Device): AdapterInfo {
  const info = (device.gpuDevice as GPUDevice & { adapterInfo?: GPUAdapterInfo }).adapterInfo;
  const { description, vendor, architecture } = device.capabilities;
  const name = info?.device || description;
  return {
    name: name === "" ? description : name,
    vendor,
    architecture,
    driver: info?.description && info.description !== name ? info.description : "",
  };
}

/** Memory of the first GPU as `nvidia-smi` tells it, or undefined without that program. */
export function gpuMemory(): GpuMemory | undefined {
  try {
    const text = execFileSync("nvidia-smi", ["--query-gpu=memory.total,memory.free", "--format=csv,noheader,nounits"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 5000,
    });
    const [total, free] = text.split("\n")[0]!.split(",").map(Number);
    return Number.isFinite(total) && Number.isFinite(free) ? { totalBytes: total! * 2 ** 20, freeBytes: free! * 2 ** 20 } : undefined;
  } catch {
    return undefined;
  }
}
