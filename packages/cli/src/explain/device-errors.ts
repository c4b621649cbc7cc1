import type { Explanation } from "./explanation.js";

/** Errors of the device, and of numbers and shapes on it. */
export const deviceErrors = {
  BOUNDS: {
    about: "A range reaches outside its tensor or file.",
    remedies: [
      {
        cause: "A start or an end was computed for another length.",
        cure: "Compare it with what the message says there is; ends are exclusive.",
      },
      { cause: "A file is shorter than its header says.", cure: "Fetch it again: it is incomplete." },
    ],
  },
  CAPABILITY: {
    about: "This machine, process, adapter or device cannot do what was asked. `missing` names the thing that it lacks.",
    remedies: [
      {
        cause: "There is no GPU that WebGPU can use, or the Vulkan loader is not installed.",
        cure: "Run `kto doctor`: it names what is missing and the command that installs it (on Linux usually libvulkan1).",
      },
      { cause: "There is no GPU at all.", cure: "Install @kto/software-gpu and pass --device software: slow, for tests and tiny models." },
      { cause: "In Node the package webgpu is not installed.", cure: "npm install webgpu." },
      {
        cause: "In a browser: WebGPU is off, or the page is not served over https or from localhost.",
        cure: "Use a current Chrome, Edge, Safari or Firefox with WebGPU, and serve the page securely.",
      },
      { cause: "The device lacks shader-f16, which dtype float16 needs.", cure: "Set dtype: float32, or auto, which takes what there is." },
      {
        cause: "A variant or way of a kernel was forced that this device cannot run.",
        cure: "Remove the entry from device.recorder.variants.",
      },
    ],
  },
  DEVICE_LOST: {
    about:
      "The GPU went away or refused a command. Nothing recorded on the device since then can be trusted; checkpoints that were written before are whole.",
    remedies: [
      {
        cause:
          "The driver was reset: another program hung it, the machine slept, or a kernel ran too long on a GPU that also drives a screen.",
        cure: "Start again with --resume_from_checkpoint true; lower per_device_train_batch_size if it comes back.",
      },
      { cause: "The memory of the GPU is used by others as well.", cure: "Close them, or set max_memory to what is left." },
      { cause: "In a browser the tab was put aside.", cure: "Keep it visible, or let the run go on from its checkpoint." },
    ],
  },
  DISPOSED: {
    about: "A tensor was used after its memory was given back. The message names the operation that made it.",
    remedies: [
      { cause: "It was made in a scope that has ended.", cure: "Return it from the scope: what the callback returns lives on." },
      { cause: "dispose() was called, or a `using` declaration has ended.", cure: "Dispose of it after its last use." },
      { cause: "The device was disposed of.", cure: "Read what you need with readAll or item() before that." },
    ],
  },
  DTYPE: {
    about: "An operation does not take this dtype, or a value does not fit into it.",
    remedies: [
      { cause: "Weights have values that float16 cannot hold (above 65,504).", cure: "Load with dtype float32." },
      { cause: "An operation of f32 was given f16, or the reverse.", cure: 'Convert with cast(x, "f32").' },
    ],
  },
  KERNEL: {
    about: "A shader did not compile on this driver. The message has the kernel, its variant and spec, and the line.",
    remedies: [
      {
        cause: "A kernel of your own has a mistake.",
        cure: "`npm run kernels:print` in the repository shows what is compiled; the line of the message counts in that text.",
      },
      {
        cause: "The driver or browser is older than the feature that a variant uses.",
        cure: 'Update it, or force a simpler variant: device.recorder.variants.set(kernel, "plain").',
      },
    ],
  },
  NON_FINITE_LOSS: {
    about:
      "The loss or a gradient became infinite or no number, so that going on would ruin the weights. The message names the update and its rows; the last checkpoint is from before.",
    remedies: [
      {
        cause: "The learning rate is too high.",
        cure: "Lower it by 3 to 10 times, and go on from the last checkpoint: --resume_from_checkpoint true --learning_rate …",
      },
      { cause: "There is no warm-up.", cure: "Set warmup_steps: 0.1." },
      {
        cause: "A row is unlike the others: very long, or a completion that the model finds impossible.",
        cure: "Look at the rows that the message names with `kto data --head`.",
      },
      { cause: "max_grad_norm is off.", cure: "Set it to 1, its default." },
      { cause: "float16 cannot hold what the model computes.", cure: "Set dtype: float32." },
      {
        cause: "A loss that grows without bound: forward_kl, alphapo with a large alpha over long answers.",
        cure: "Take reverse_kl, or alpha 0.",
      },
    ],
  },
  OUT_OF_MEMORY: {
    about:
      "The GPU could not give the memory that was asked for, or the plan of the run needs more than there is. The plan is made before the first update, so most runs that do not fit end at once.",
    remedies: [
      { cause: "A row alone is too long.", cure: "Lower max_length: activations grow with it." },
      { cause: "The model alone is too large.", cure: "Set load_in_4bit: true, which takes a quarter of the memory of 16 bits." },
      { cause: "gradient_checkpointing is false.", cure: "Set it to auto, which computes as few layers again as the memory asks for." },
      {
        cause: "micro_batches_per_pass is a number, which is kept to.",
        cure: "Set it to auto, which puts as many micro-batches together as fit, or lower it.",
      },
      {
        cause: "The optimizer of a full training takes too much: 16 bytes a parameter.",
        cure: "Train an adapter (use_peft), or set optim: adamw_8bit.",
      },
      { cause: "Another program uses the GPU.", cure: "Close it; or set max_memory, to which the plan is held." },
    ],
  },
  RANKS: {
    about:
      "The processes of one run (ranks), which mpirun, mpiexec or srun started, cannot go on together. All of them end; checkpoints that were written before are whole.",
    remedies: [
      {
        cause: "A rank gave up.",
        cure: "The message has its number, its machine and what it said: mend that, and go on with --resume_from_checkpoint true.",
      },
      {
        cause: "The connection between two machines is gone.",
        cure: "Look at what MPI printed before; start again with --resume_from_checkpoint true.",
      },
      {
        cause:
          "Ranks run different versions, or were started with different configs or files (status 2, and nothing was written); the message says which ranks, and what differs.",
        cure: "Give all machines the same installation, config and data, and start every rank with one command.",
      },
      {
        cause: "A rank finds no checkpoint, or another one, to go on from.",
        cure: "Let output_dir lie on a file system that all machines share.",
      },
      {
        cause: "One rank was told to end: all have ended after the same update.",
        cure: "Go on with --resume_from_checkpoint true.",
      },
    ],
  },
  SHAPE: {
    about: "A shape or size does not fit. The message has both sides, what was expected and what came.",
    remedies: [
      {
        cause: "Dimensions are in another order than the operation's.",
        cure: "Its docstring says the shape of each argument, and so does its page of the API.",
      },
      { cause: "A batch and a tensor made for another batch were mixed.", cure: "Make both from the same rows." },
      { cause: "Adapter and model have other sizes.", cure: "Load the adapter on the model that it was trained on." },
    ],
  },
  UNEXPECTED: {
    about: "Something happened that the program has no word for: a mistake in kto.",
    remedies: [
      {
        cause: "A mistake in kto.",
        cure: "Run the command again with --debug and report what it prints, with the output of `kto doctor --json`.",
      },
    ],
  },
} as const satisfies Record<string, Explanation>;
