import { CapabilityError, httpDirectory, httpSource } from "@kto/core";
import { loadDataset, type Dataset } from "@kto/datasets";
import { hub } from "@kto/hub";
import { requestDevice, type Device } from "@kto/tensor";
import type { OpenDeviceOptions } from "../device/open-device.js";
import { withRevision } from "../hub/repo-files.js";
import { looksLikeHubId } from "../place.js";
import { withoutSplits, type LoadDatasetOptions } from "../data/file-options.js";
import type { OpenPlace, PlaceKind, PlaceOptions } from "./types.js";

/** The browser's own GPU; how much memory is free no browser tells. */
export async function openPlatformDevice({ device: choice = "auto", adapter, maxMemory }: OpenDeviceOptions): Promise<Device> {
  if (choice === "software")
    throw new CapabilityError(
      "device: there is no software adapter in a browser; expected auto or gpu, got software; leave it out, or run in Node",
    );
  const device = await requestDevice({ adapter });
  device.memory.budgetBytes = maxMemory;
  return device;
}

/** An address as it was written. */
export const nameOfPath = (given: string): string => given;

/** An address, or a repository of the hub that is read over the network. */
export async function openPlace(given: string, _kind: PlaceKind, options: PlaceOptions = {}): Promise<OpenPlace> {
  if (!looksLikeHubId(given)) return { directory: httpDirectory(given, { signal: options.signal }), hub: undefined };
  const id = withRevision(given, options.revision);
  const source = hub(id, { ...options.hub, signal: options.signal });
  return { directory: source, hub: { id, commit: (await source.resolve()).commit } };
}

/** Rows of a file at an address, or of a data set of the hub. */
export async function loadPlace(given: string, options: LoadDatasetOptions): Promise<Dataset> {
  const { split, config, maxRows, signal, onProgress, onNote } = options;
  const reading = { maxRows, signal, onProgress };
  if (!looksLikeHubId(given)) return loadDataset(await httpSource(given, { signal }), { ...withoutSplits(given, options), name: given });
  const source = hub(withRevision(given, options.revision), { ...options.hub, signal, repoType: "dataset" });
  const dataset = await loadDataset(source, { ...reading, onNote, split, config });
  options.onCommit?.((await source.resolve()).commit);
  return dataset;
}

export { platformFolder, storeAt } from "../output/browser-folder.js";
