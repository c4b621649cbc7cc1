import { expecting, field, integer, orNull, path, patterns, pickFields } from "@kto/core/config";
import { inputFields } from "./input-fields.js";
import { samplingFields } from "./sampling-fields.js";

/** Fields of the commands that ask a model: the model and how it is loaded, how long prompt and answer may be, how tokens are drawn. */
export const askingFields = {
  ...pickFields(inputFields, "model", "chatTemplate", "prefer4bitCheckpoint", "loadIn4bit", "useBnbNestedQuant", "dtype"),
  maxLength: field(orNull(integer(2)), null, {
    group: "generation",
    help: "tokens of prompt and answer together; by default the model's context",
  }),
  ...samplingFields,
};

/** A conversation in a file. */
export const messagesField = {
  messages: field(orNull(path("a JSON file")), null, {
    group: "data",
    help: "a conversation: a JSON file with a list of messages of role and content, for the chat template",
  }),
};

/** `--adapter [NAME=]A`, of the commands that take several. */
export const adaptersField = {
  adapters: field(orNull(expecting(patterns(), "PLACE, or NAME=PLACE, once or several times")), null, {
    group: "model",
    help: "adapters on it, of which one or none acts at a time; without a name the last part of the place is its name",
    onDisk: "adapter",
    aliases: ["adapter_name_or_path"],
  }),
};
