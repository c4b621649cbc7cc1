export { fileDirectory as openModel } from "@kto/safetensors/node";
