import type { Device } from "@kto/tensor";

/** What Dawn says of the adapter behind a device. */
export interface AdapterInfo {
  name: string;
  vendor: string;
  architecture: string;
  driver: string;
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
