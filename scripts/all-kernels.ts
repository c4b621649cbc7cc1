/** Every kernel of the repository. Those of a package are in the registry once it is imported, so both are here. */
export { kernelRegistry } from "@kto/tensor";
export * as nf4 from "@kto/nf4";
