export * from "@kto/kit";
export { KTOTrainer } from "@kto/trainer";
