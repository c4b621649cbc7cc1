import {
  choice,
  expecting,
  field,
  memorySize,
  number,
  oneOrMore,
  orNull,
  path,
  patterns,
  pickFields,
  requiredField,
} from "@kto/core/config";
import { inputFields } from "./input-fields.js";

const place = path("a path or a name on the hub");

/** Fields of `kto merge`. */
export const mergeFields = {
  ...pickFields(inputFields, "model"),
  adapters: requiredField(expecting(patterns(), "a folder or a name on the hub, once or several times"), {
    group: "model",
    help: "the adapters that are merged into it; several add up",
    onDisk: "adapter",
    aliases: ["adapter_name_or_path"],
  }),
  weights: field(orNull(oneOrMore(number({}), "a number for each adapter")), null, {
    group: "adapter",
    help: "what each adapter is multiplied with, in their order; 1 by default",
  }),
  base: field(orNull(place), null, {
    group: "model",
    help: "the 16-bit model that a four-bit one was quantised from: the adapters are added to its weights instead of dequantised ones",
  }),
  out: requiredField(path("a folder that is not there yet, or empty"), {
    group: "output",
    help: "the folder of the merged model",
    aliases: ["output_dir"],
  }),
  dtype: field(orNull(choice(["float16", "bfloat16", "float32", "nf4"])), null, {
    group: "output",
    help: "of the merged weights; by default what the model's config.json says. nf4 quantises the sums again, which loses some of what was learned",
    aliases: ["torch_dtype"],
  }),
  maxShardSize: field(orNull(memorySize()), null, {
    group: "output",
    help: "most bytes of tensors in one file (5GB by default)",
  }),
};
