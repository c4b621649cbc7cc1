export { loadAdapter, readAdapterConfig, saveAdapter, type AdapterToSave, type LoadedAdapter } from "./node/adapter-folder.js";
