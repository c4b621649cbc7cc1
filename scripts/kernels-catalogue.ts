import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { kernelCatalogue } from "./kernel-catalogue.js";

const root = join(import.meta.dirname, "..");
writeFileSync(join(root, "docs/kernels.md"), kernelCatalogue(root));
