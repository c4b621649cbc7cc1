export { fileDirectory, openModelDir } from "@kto/safetensors/node";
