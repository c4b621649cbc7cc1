import { installSoftwareGpu } from "@kto/software-gpu";

// Runs before each *.gpu.test.ts, so before anything can import webgpu. KTO_DEVICE=gpu takes the machine's own adapter instead.
if (process.env["KTO_DEVICE"] !== "gpu") await installSoftwareGpu();
