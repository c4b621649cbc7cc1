import type { DataCase, DataRead } from "./data-case.js";

const chatml =
  "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
const thinking =
  "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
const asked = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n";
const end = "<｜end▁of▁sentence｜>";

/** Two rows of one answer, rendered with a template. */
function rows(
  name: string,
  answer: object,
  template: string | null,
  outcome: Omit<DataRead, "status" | "rows">,
  more: object = {},
): DataCase {
  const row = (label: boolean): object => ({
    prompt: [{ role: "user", content: "hi" }],
    completion: [{ role: "assistant", ...answer }],
    label,
    ...more,
  });
  return {
    name,
    files: { "rows.jsonl": [row(true), row(false)].map((line) => `${JSON.stringify(line)}\n`).join("") },
    flags: template === null ? [] : ["--template", template],
    outcome: { status: 0, rows: 2, ...outcome },
  };
}

/** What templates do to conversations. The samples are what trl 1.16 and transformers 5.24 make of the same rows with the same templates. */
export const templateCases: readonly DataCase[] = [
  rows("reasoning under an older name", { thinking: "six", content: "42" }, thinking, {
    samples: [[asked, "<think>\nsix\n</think>\n42<|im_end|>\n", true]],
    says: [/note: the data has the reasoning of messages as "thinking"; the template reads it as "reasoning_content"/],
  }),
  rows("reasoning under the name of APIs", { reasoning: "six", content: "42" }, thinking, {
    samples: [[asked, "<think>\nsix\n</think>\n42<|im_end|>\n", true]],
    says: [/as "reasoning"; the template reads it as "reasoning_content"/],
  }),
  rows("reasoning that the template does not read", { reasoning: "six", content: "42" }, chatml, {
    samples: [[asked, "42<|im_end|>\n", true]],
    says: [/note: the chat template does not read "reasoning" of messages: what it says is not trained on/],
  }),
  rows("reasoning that the template cuts", { content: "<think>\nsix\n</think>\n\n42" }, null, {
    samples: [["<｜begin▁of▁sentence｜><｜User｜>hi<｜Assistant｜>", `\n\n42${end}`, true]],
    says: [/writes "<think>\\n" at the end of the prompt/, /leaves the reasoning .* of answers out/],
  }),
  rows(
    "tools and variables that the template does not read",
    { content: "42" },
    chatml,
    {
      samples: [[asked, "42<|im_end|>\n", true]],
      says: [/does not read "tools"/, /does not read "enable_thinking" of "chat_template_kwargs"/],
    },
    { tools: [{ type: "function", function: { name: "f" } }], chat_template_kwargs: { enable_thinking: false } },
  ),
  rows(
    "tool calls that the template does not read",
    { content: "42", tool_calls: [{ type: "function", function: { name: "f" } }] },
    chatml,
    {
      samples: [[asked, "42<|im_end|>\n", true]],
      says: [/does not read "tool_calls" of messages/],
    },
  ),
  rows("EOS in the answer and in the template", { content: `42${end}` }, `{% for m in messages %}{{ m.content }}${end}{% endfor %}`, {
    samples: [[`hi${end}`, `42${end}${end}`, true]],
    says: [/stands twice in a row: the chat template writes one; take it out of the contents/],
  }),
];
