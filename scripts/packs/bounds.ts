/**
 * The most that a tarball may weigh, in kB: a good third above what it did when the line was written. A package that outgrows its line has taken in
 * what it should not, or has earned a new one.
 */
export const tarballBounds: Readonly<Record<string, number>> = {
  "@kto/bench": 30,
  "@kto/chat-templates": 85,
  "@kto/cli": 150,
  "@kto/core": 55,
  "@kto/datasets": 125,
  "@kto/generate": 38,
  "@kto/gguf-export": 100,
  "@kto/hub": 70,
  "@kto/kit": 64,
  "@kto/lora": 48,
  "@kto/losses": 42,
  "@kto/merge": 30,
  "@kto/mpi": 18,
  "@kto/nf4": 45,
  "@kto/optim": 25,
  "@kto/qwen2": 48,
  "@kto/report": 60,
  "@kto/safetensors": 40,
  "@kto/serve": 40,
  "@kto/software-gpu": 15,
  "@kto/tensor": 200,
  "@kto/testing": 20,
  "@kto/tokenizer": 36,
  "@kto/trainer": 180,
  kto: 10,
};
