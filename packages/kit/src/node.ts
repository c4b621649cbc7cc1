export { gpuMemory, type GpuMemory } from "./device/gpu-memory.js";
export { mendingCommand, NoAdapterError, whyNoHardware } from "./device/hardware.js";
export { expandHome, hasSplits, isFolder, isHubId } from "./platform/node-places.js";
export { tokenCacheFolder, tokenFolder } from "./data/token-folder.js";
export { tokenizeWorkers } from "./tokenize-workers.js";
export { checkPush } from "@kto/hub/node";
export { pushToHub, type PushToHubOptions } from "./hub/push-to-hub.js";
export { openRunPushes, RunPushes, type HubStrategy, type RunPushOptions } from "./hub/run-pushes.js";
export { type FilesToMerge, type PushGgufOptions, type PushMergedOptions, pushToHubGguf, pushToHubMerged } from "./hub/push-made.js";
