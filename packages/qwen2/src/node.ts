export { fileDirectory as openModel } from "@kto/core/node";
