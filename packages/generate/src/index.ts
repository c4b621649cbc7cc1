export { sample } from "@kto/tensor";
