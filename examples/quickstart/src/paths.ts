import { fileURLToPath } from "node:url";

const inExample = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** The example's folder; paths in `kto.yaml` are seen from here. */
export const exampleFolder: string = inExample("");
export const configFile: string = inExample("kto.yaml");
export const modelFolder: string = inExample("model");
export const trainFile: string = inExample("data/train.jsonl");
export const testFile: string = inExample("data/test.jsonl");
export const outFolder: string = inExample("out");
