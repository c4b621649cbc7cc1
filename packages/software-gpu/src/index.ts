export { CapabilityError, FormatError, isKtoError, KtoError } from "./errors.js";
export { installSoftwareGpu, type SoftwareGpu } from "./install.js";
