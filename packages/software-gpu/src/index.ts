export { installSoftwareGpu, type SoftwareGpu } from "./install.js";
