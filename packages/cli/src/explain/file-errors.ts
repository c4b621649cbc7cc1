import type { Explanation } from "./explanation.js";

/** Errors of what was read or written: files, folders, the hub. */
export const fileErrors = {
  DATA_FILE: {
    about: "The data cannot be read at all, so that not even its first row is known.",
    remedies: [
      {
        cause: "There is nothing at that path.",
        cure: "Check it; an absolute one does not depend on the folder that the command runs in.",
      },
      {
        cause:
          "The file is of a kind that is not read: an archive, a page of HTML saved as data, a pointer of Git LFS, half a Parquet file.",
        cure: "Do what the message says; JSON Lines, JSON, CSV, TSV, Parquet and Arrow are read, whatever the file is called.",
      },
      {
        cause: "A folder holds files of several kinds, or none of a known one.",
        cure: "Name one file, or a folder with the files of one data set.",
      },
      {
        cause: "The split that was asked for is not there.",
        cure: "Take one of the splits that the message lists with --split or dataset_train_split.",
      },
    ],
  },
  FILE: {
    about:
      "The file system refused what a command asked of it. Files that are written appear under their name only when they are complete.",
    remedies: [
      { cause: "The disk or the quota is full.", cure: "Free some space; a run goes on with --resume_from_checkpoint true." },
      { cause: "The folder may not be written to, or a part of the path is a file.", cure: "Name another folder." },
    ],
  },
  FORMAT: {
    about:
      "Bytes are not what their format asks for, or something that was asked for is not in them. The message names the file, and the tensor or line where one is to blame.",
    remedies: [
      { cause: "A download or a copy is incomplete.", cure: "Fetch it again; `kto download` checks sizes and goes on where it stopped." },
      {
        cause: "The file is a Git LFS pointer or a page of HTML that was saved instead of the file.",
        cure: "Fetch it with `kto download OWNER/NAME`, or with git lfs pull.",
      },
      {
        cause: "The weights are a pickle (.bin, .pt), which is a program and never run.",
        cure: "Convert them: model.save_pretrained(folder, safe_serialization=True) in transformers.",
      },
      {
        cause: "The model is of another architecture than Qwen2.",
        cure: 'Take a model whose config.json says "model_type": "qwen2", such as Qwen2.5 or DeepSeek-R1-Distill-Qwen.',
      },
      { cause: "A checkpoint is of another adapter, or damaged.", cure: "Go on from another one: --resume_from_checkpoint checkpoint-N." },
    ],
  },
  HUB: {
    about:
      "The hub, the network or the cache did not give what was asked for. What has arrived is kept, and the same command goes on from there.",
    remedies: [
      {
        cause: "There is no repository of that name, or it is private or gated.",
        cure: "Check the name; set HF_TOKEN to a token that may read it, and accept the model's terms on its page.",
      },
      {
        cause: "The network cannot be reached, or goes through a proxy.",
        cure: "Try again; `kto doctor` tells whether the hub answers. HF_ENDPOINT names another hub.",
      },
      {
        cause: "HF_HUB_OFFLINE is set, and the cache does not have it.",
        cure: "Unset it once to fetch what is needed, or copy the cache.",
      },
      { cause: "A file does not have the sum that the hub says it has.", cure: "Run the command again: the damaged part is fetched anew." },
      { cause: "A push is refused: the token may only read.", cure: "Make a token with the right to write at the hub's settings." },
    ],
  },
  INTERRUPTED: {
    about:
      "A signal (Ctrl-C, SIGTERM) ended the command. A training run has finished the update in flight and written a checkpoint; the last line says where it is.",
    remedies: [
      {
        cause: "You stopped it.",
        cure: "Go on with --resume_from_checkpoint true: the result is the same, to the bit, as of a run that was never stopped.",
      },
      {
        cause: "The machine or a scheduler stopped it.",
        cure: "The same; a second signal within the update would have stopped it without a checkpoint.",
      },
    ],
  },
  NF4_FORMAT: {
    about: "A four-bit weight comes with companions: scales, a table, and what it was before. They are not what bitsandbytes writes.",
    remedies: [
      {
        cause: "The checkpoint was quantised with fp4, or by another library.",
        cure: "Take the 16-bit repository of the model and --load_in_4bit, which quantises while it loads.",
      },
      { cause: "The file is incomplete.", cure: "Fetch it again with `kto download`." },
    ],
  },
  OUTPUT: {
    about: "The folder for the results cannot be used. Nothing in it was touched.",
    remedies: [
      { cause: "It holds a finished run.", cure: "Name another output_dir, or add --overwrite_output_dir true." },
      { cause: "It holds a run that was stopped.", cure: "Go on from it with --resume_from_checkpoint true." },
      { cause: "Another process is working in it.", cure: "Wait for it or stop it; the lock of a process that is gone is ignored." },
    ],
  },
  QUANTIZATION_CONFIG: {
    about: "quantization_config in config.json says how the weights were quantised, and it is a way that is not read here.",
    remedies: [
      {
        cause: "The model is quantised by GPTQ, AWQ, FP8 or int8.",
        cure: "Take its 16-bit repository, and --load_in_4bit if memory is short.",
      },
      { cause: "bnb_4bit_quant_type is fp4.", cure: "Take an nf4 checkpoint; most of those named -bnb-4bit are." },
    ],
  },
  REQUEST: {
    about:
      "A request to `kto serve` was not answered. The server goes on; the answer to the request has the status and the shape of OpenAI's errors.",
    remedies: [
      { cause: "A field is out of range or unknown.", cure: "The answer's `param` names it." },
      { cause: "The key is missing or wrong.", cure: "Send Authorization: Bearer KEY with the key of --api-key." },
      { cause: "The queue is full.", cure: "Try again after what the Retry-After header says, or raise --max-queue." },
      { cause: "The model is not one of the server's.", cure: "GET /v1/models lists the base and the adapters by name." },
    ],
  },
  RUN_FOLDER: {
    about: "A report was asked of a folder that holds no run.",
    remedies: [
      { cause: "It is the folder above: it only holds folders of runs.", cure: "Name one or several of those that the message lists." },
      { cause: "The run wrote nothing yet.", cure: "Wait for its first logged step, or lower logging_steps." },
    ],
  },
  SOURCE: {
    about: "A file or server did not give the bytes that were asked for. `reason` is the system's code, `status` that of HTTP.",
    remedies: [
      {
        cause: "There is nothing of that name (ENOENT, 404).",
        cure: "Check the path or address; in a browser a relative one begins with ./ or /.",
      },
      { cause: "It may not be read (EACCES, 403).", cure: "Change its rights, or give a token where it is the hub's." },
      {
        cause: "A server answers without ranges, or a page may not read from it.",
        cure: "Let it answer Range requests and allow your page in Access-Control-Allow-Origin.",
      },
    ],
  },
  TEMPLATE: {
    about: "A chat template turns messages into text. It could not be compiled, or it refused the conversation.",
    remedies: [
      {
        cause: "The template itself raises an error: roles that do not take turns, a system message that it does not know.",
        cure: "Mend the conversation as the message says, or name another template with chat_template.",
      },
      { cause: "It uses include, import or extends, which would read other files.", cure: "Put everything into one template." },
      {
        cause: "Rendering takes more than two million steps.",
        cure: "Look for a loop over something that is far longer than a conversation.",
      },
    ],
  },
  TOKENIZER: {
    about: "Files of the tokenizer are missing or wrong, or it cannot do what was asked.",
    remedies: [
      {
        cause: "tokenizer.json is missing: the folder has only the older files.",
        cure: "Save it with tokenizer.save_pretrained(folder) in transformers, or copy it from the base model.",
      },
      {
        cause: "It is of a kind that is not read, such as tiktoken's or sentencepiece's own file.",
        cure: "Convert it to a fast tokenizer with transformers.",
      },
      {
        cause: "The model has no chat template and rows are conversations.",
        cure: "Name one: --chat_template chatml, or one of the others in Chat templates.",
      },
    ],
  },
  WRITE: {
    about:
      "A file could not be written. What was there before is unchanged: files are written under another name and renamed when they are complete.",
    remedies: [
      {
        cause: "The disk is full (ENOSPC).",
        cure: "Free some space, or set save_total_limit; then go on with --resume_from_checkpoint true.",
      },
      { cause: "The folder may not be written to (EACCES, EROFS).", cure: "Name another output_dir." },
      {
        cause: "In a browser: the page's quota is used up, or it is a private window.",
        cure: "Free the site's data, or use a normal window.",
      },
    ],
  },
} as const satisfies Record<string, Explanation>;
