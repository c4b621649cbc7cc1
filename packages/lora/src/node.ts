export { loadAdapter, readAdapterConfig, type LoadedAdapter } from "./node/adapter-folder.js";
