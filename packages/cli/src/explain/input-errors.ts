import type { Explanation } from "./explanation.js";

/** Errors in what was asked for: command lines, configs, arguments, rows. Nothing has been written when they come up. */
export const inputErrors = {
  ADAPTER_FILE: {
    about:
      "An adapter is two files: adapter_config.json says which layers it changes and how, adapter_model.safetensors holds the weights. They do not agree with each other or with the model.",
    remedies: [
      {
        cause: "The adapter was trained on another model: the layers have other names or sizes.",
        cure: "Load it on the model that base_model_name_or_path of adapter_config.json names.",
      },
      {
        cause: "The file is the state of an optimizer, a partial download or a checkpoint of another program.",
        cure: "Copy adapter_model.safetensors again from the folder that adapter_config.json came from.",
      },
      {
        cause: "adapter_config.json was edited by hand: another r or other target_modules than the weights have.",
        cure: "Set the values that the weights were trained with; r is the first dimension of every lora_A.weight.",
      },
    ],
  },
  ARGUMENT: {
    about:
      "A function of a package was called with a value outside what it takes. The message names the function, what it expects and what it got.",
    remedies: [
      {
        cause: "A value is of the wrong type or out of range: a fraction where a count is expected, a negative length.",
        cure: "Pass what the message says it expects; the types of the package, and its page of the API, say the same.",
      },
      {
        cause: "The value was computed and is NaN or undefined.",
        cure: "Print it before the call; a division by a length of 0 is the usual reason.",
      },
    ],
  },
  CONFIG: {
    about:
      "Something on the command line or in the config file cannot be used. Every mistake is a line of its own, so that all of them can be mended at once. Nothing was written.",
    remedies: [
      {
        cause: "A field is misspelt, or is one of another method.",
        cure: "Take the name that the line suggests; `kto train --method METHOD --help` lists the fields of a method.",
      },
      {
        cause: "A field of trl, peft or transformers asks for something that is not done here.",
        cure: "Remove it, or set it to the value that asks for nothing; the pages Coming from trl say of each field what becomes of it.",
      },
      {
        cause: "A value is out of range or of another type: text where a number belongs.",
        cure: "Write what the line expects; a list is [a, b] in YAML, and words with spaces as a flag.",
      },
      {
        cause: "Two fields contradict each other, such as an eval_strategy without data to evaluate on.",
        cure: "Do one of the two things that the line names.",
      },
    ],
  },
  DATA_PREPARATION: {
    about: "Each row is well formed, but rows and settings together leave nothing to train on, or do not go together.",
    remedies: [
      {
        cause: "Every row was dropped: prompts alone fill max_length, or no completion is left after cutting.",
        cure: "Raise max_length; `kto data FILE --model M` shows the lengths and what is dropped.",
      },
      {
        cause: "strict is set and some rows would be dropped.",
        cure: "Mend the rows that are counted, or leave strict out.",
      },
      {
        cause: "assistant_only_loss asks for the assistant's tokens, and the chat template does not mark them.",
        cure: "Name a template with {% generation %} blocks in chat_template, or leave assistant_only_loss out.",
      },
      {
        cause: "A setting belongs to another layout of rows, such as completion_only_loss with plain texts.",
        cure: "Leave the setting out, or give the data columns `prompt` and `completion`.",
      },
    ],
  },
  GENERATION: {
    about: "Text was asked for that cannot be made. The model and the device are fine, and the next request may be answered.",
    remedies: [
      {
        cause: "A sampling setting is out of range: a temperature below 0, top_p above 1.",
        cure: "Set it as the message says; temperature 0, or do_sample false, is greedy.",
      },
      {
        cause: "The prompt is empty, or fills the model's context so that no token is left for an answer.",
        cure: "Shorten the conversation, or raise what the server's --ctx-size allows.",
      },
      {
        cause: "There is no adapter of that name.",
        cure: "Take one of the names that the message lists.",
      },
    ],
  },
  LORA_CONFIG: {
    about:
      "A setting of LoraConfig is unknown, out of range, or one that changes what an adapter computes and is not done here. Reading the adapter without it would give other numbers in silence.",
    remedies: [
      {
        cause: "The adapter uses DoRA, lora_bias, layer replication or another variant that is refused.",
        cure: "Merge it with peft (merge_and_unload) and use the merged model, or train a plain LoRA.",
      },
      {
        cause: "A field is misspelt in a program.",
        cure: "Take the name that the message suggests; in TypeScript they are in camelCase: loraAlpha, targetModules.",
      },
      {
        cause: "A value is out of range: r of 0, a dropout of 1.",
        cure: "Set it as the message says; r 8 to 64 is usual, lora_alpha r or twice that.",
      },
    ],
  },
  LORA_TARGET: {
    about: "target_modules decides which layers get an adapter. What stands there selects none, or something that is no linear layer.",
    remedies: [
      {
        cause: "The names are those of another architecture: query_key_value, c_attn.",
        cure: "For Qwen2 they are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, or the word all-linear.",
      },
      {
        cause: "Several names were given as one text, which is read as a regular expression over whole names, as in peft.",
        cure: "Give a list: [q_proj, v_proj] in YAML, or words separated by spaces after the flag.",
      },
      {
        cause: "A regular expression does not match whole names of modules.",
        cure: "Begin it with .* as in `.*\\.(q|v)_proj`; names are like model.layers.0.self_attn.q_proj.",
      },
    ],
  },
  LOSS_INPUT: {
    about: "A loss was called with arguments that do not fit together. The message names the argument in `field`.",
    remedies: [
      {
        cause: "Arrays have different lengths: log-probabilities of one batch with labels of another.",
        cure: "Pass values of the same rows in the same order.",
      },
      {
        cause: "KTO was called without the log-probabilities of the mismatched rows, from which it estimates the KL.",
        cure: "Pass policyKlLogProbs and refKlLogProbs, or take lossType apo_zero_unpaired, which needs none.",
      },
      {
        cause: "Options contradict each other: label smoothing with a loss that has none, weights for losses that are not there.",
        cure: "Remove the option that the message names.",
      },
    ],
  },
  OPTIMIZER: {
    about: "The optimizer that was named is not offered.",
    remedies: [
      {
        cause: "`optim` names another of transformers' optimizers, such as adafactor, lion or sgd.",
        cure: "Take adamw_torch, adamw_torch_fused (the same here), adamw_8bit or paged_adamw_8bit.",
      },
    ],
  },
  ROW: {
    about: "Rows of the data cannot be trained on. Each kind of mistake is one line with the number of the first row that has it.",
    remedies: [
      {
        cause: "A column is missing or has another name.",
        cure: "Name the columns: --prompt_column, --completion_column, --label_column, --chosen_column, --rejected_column.",
      },
      {
        cause: "A label is not true or false, or what is read as one.",
        cure: "Write true and false, 1 and 0, or 👍 and 👎; `yes`, `good` and -1 are refused, since they would have to be guessed.",
      },
      {
        cause: "A message has no role or no content, or a conversation holds something else than messages.",
        cure: 'Write [{"role": "user", "content": "…"}]; Data and files lists every layout that is read.',
      },
      {
        cause: "A value is empty.",
        cure: "Remove the row. `kto data FILE` lists all of them without a model.",
      },
    ],
  },
  SCHEDULE: {
    about: "A learning-rate schedule cannot be made from what was given.",
    remedies: [
      {
        cause: "lr_scheduler_kwargs has a key that the schedule does not take.",
        cure: "Take one of those that the message lists: num_cycles, power, min_lr and others.",
      },
      {
        cause: "reduce_lr_on_plateau or greedy was chosen, which follow an evaluation, and there is none.",
        cure: "Set eval_strategy and eval_file, or take another schedule.",
      },
      {
        cause: "The warm-up is negative or longer than the run.",
        cure: "Give a number of updates, or a share of the run below 1.",
      },
    ],
  },
  TRAINER_CONFIG: {
    about: "An argument of a trainer is outside its range, or contradicts another one. The command says the same under CONFIG.",
    remedies: [
      {
        cause: "The value is out of range or of another type.",
        cure: "Pass what the message expects.",
      },
      {
        cause: "The argument is written in Python's spelling.",
        cure: "In TypeScript arguments are in camelCase: perDeviceTrainBatchSize, learningRate, maxLength.",
      },
    ],
  },
  TRAINER_USAGE: {
    about: "A trainer was made or used in a way that cannot work. Nothing was trained.",
    remedies: [
      {
        cause: "Model, data or tokenizer is missing among the options, or an option has another name.",
        cure: "Pass { model, trainDataset } and peftConfig for a new adapter; a model of loadModel brings its tokenizer.",
      },
      {
        cause: "One trainer was run twice, or a run was both iterated and awaited.",
        cure: "Make a new trainer for a second run; after `for await` the result is in trainer.result.",
      },
      {
        cause: "The weights cannot be trained as they were loaded, and there is no adapter.",
        cure: "Give peftConfig, or load the model with { trainable: true } to train every weight.",
      },
    ],
  },
} as const satisfies Record<string, Explanation>;
