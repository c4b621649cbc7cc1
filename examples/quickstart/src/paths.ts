import { fileURLToPath } from "node:url";

const inExample = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));

export const repositoryFolder: string = inExample("../..");
export const readmeFile: string = inExample("README.md");
export const configFile: string = inExample("kto.yaml");
export const modelFolder: string = inExample("model");
export const trainFile: string = inExample("data/train.jsonl");
export const testFile: string = inExample("data/test.jsonl");
export const outFolder: string = inExample("out");
