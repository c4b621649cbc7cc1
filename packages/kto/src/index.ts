export * from "@kto/kit";
export { generate } from "@kto/generate";
export { getPeftModel } from "@kto/lora";
export { DPOTrainer, KTOTrainer, SFTTrainer } from "@kto/trainer";
