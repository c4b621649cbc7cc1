import { expect, it } from "vitest";
import { ollamaModelfile } from "./modelfile.js";
import { type ChatTurn, textAfterAnswer, turnParts } from "./turn-parts.js";

const chatMl =
  (otherwise?: string) =>
  (messages: readonly ChatTurn[]): string => {
    const all =
      messages[0]!.role !== "system" && otherwise !== undefined ? [{ role: "system", content: otherwise }, ...messages] : messages;
    return `${all.map(({ role, content }) => `<|im_start|>${role}\n${content}<|im_end|>\n`).join("")}<|im_start|>assistant\n`;
  };

const deepSeek = (messages: readonly ChatTurn[]): string => {
  const before = { system: "", user: "<U>", assistant: "<A>" };
  const system = messages.find(({ role }) => role === "system")?.content ?? "";
  const rest = messages.filter(({ role }) => role !== "system");
  return `<s>${system}${rest.map(({ role, content }) => `${before[role]}${content}${role === "assistant" ? "<e>" : ""}`).join("")}<A><think>\n`;
};

it("ChatML is told by what it writes, with and without a system text of its own", () => {
  const parts = {
    start: "",
    beforeSystem: "<|im_start|>system\n",
    beforeAnswer: "<|im_end|>\n<|im_start|>assistant\n",
    opening: "<|im_end|>\n<|im_start|>assistant\n",
  };
  expect(turnParts(chatMl(), undefined)).toMatchObject({
    ...parts,
    beforeUser: "<|im_start|>user\n",
    afterSystem: "<|im_end|>\n",
    afterAnswer: "<|im_end|>\n",
    defaultSystem: undefined,
  });
  expect(turnParts(chatMl("You are Qwen."), undefined)).toMatchObject({ ...parts, defaultSystem: "You are Qwen." });
});

it("DeepSeek's is told with its BOS and the thinking that it opens, which past answers do not have", () => {
  expect(turnParts(deepSeek, "<s>")).toEqual({
    start: "<s>",
    beforeSystem: "",
    afterSystem: "",
    beforeUser: "<U>",
    beforeAnswer: "<A>",
    opening: "<A><think>\n",
    afterAnswer: "<e>",
    defaultSystem: undefined,
  });
});

it("a template that writes other things into other conversations is not taken for turns", () => {
  expect(turnParts((messages) => `${messages.length}${chatMl()(messages)}`, undefined)).toBeUndefined();
  expect(turnParts((messages) => messages.at(-1)!.content, undefined)).toBeUndefined();
  const strict = (messages: readonly ChatTurn[]): string => {
    if (messages[0]!.role !== "system") throw new Error("a system text, please");
    return chatMl()(messages);
  };
  expect(turnParts(strict, undefined)).toBeUndefined();
});

it("a Modelfile has the template in Go's language, stops and settings", () => {
  const facts = {
    from: "m-Q4_K_M.gguf",
    others: ["m-Q8_0.gguf"],
    stop: ["<|im_end|>", "<|im_end|>", 'a"b'],
    generationConfig: { temperature: 0.6, top_k: "x", repetition_penalty: 1.05 },
  };
  expect(ollamaModelfile({ ...facts, turns: turnParts(chatMl("Hi."), undefined), addsBos: false })).toBe(
    String.raw`# ollama create NAME -f Modelfile
# or FROM ./m-Q8_0.gguf
FROM ./m-Q4_K_M.gguf

TEMPLATE """
{{- if .System }}{{ "<|im_start|>system\n" }}{{ .System }}{{ end }}
{{- range $index, $_ := .Messages }}
{{- $isLast := eq (len (slice $.Messages $index)) 1 }}
{{- if eq .Role "user" }}{{ "<|im_end|>\n<|im_start|>user\n" }}{{ .Content }}{{ if $isLast }}{{ "<|im_end|>\n<|im_start|>assistant\n" }}{{ else }}{{ "<|im_end|>\n<|im_start|>assistant\n" }}{{ end }}
{{- else if eq .Role "assistant" }}{{ .Content }}{{ if not $isLast }}{{ end }}
{{- end }}
{{- end }}"""
SYSTEM """Hi."""

PARAMETER stop "<|im_end|>"
PARAMETER temperature 0.6
PARAMETER repeat_penalty 1.05
`,
  );
  const unknown = (hasTemplate: boolean): string => ollamaModelfile({ ...facts, hasTemplate, addsBos: true });
  expect(unknown(true)).toContain("# No TEMPLATE: Ollama takes the one in the GGUF file.");
  expect(unknown(false)).toContain("# No TEMPLATE: the model has no chat template.");
  expect(unknown(true)).not.toContain('"""');
});

it("what follows an answer is told even where turns are not all of a template", () => {
  expect(textAfterAnswer(chatMl())).toBe("<|im_end|>\n<|im_start|>user\n");
  expect(textAfterAnswer((messages) => `${messages.length}${deepSeek(messages)}`)).toBe("<e><U>");
  expect(textAfterAnswer((messages) => messages.at(-1)!.content)).toBeUndefined();
});

it("BOS is written by the template only where the tokenizer does not put it there", () => {
  const turns = turnParts(deepSeek, "<s>");
  const of = (addsBos: boolean): string => ollamaModelfile({ from: "m.gguf", turns, addsBos, stop: [] });
  expect(of(false)).toContain('TEMPLATE """{{ "<s>" }}\n');
  expect(of(true)).toContain('TEMPLATE """\n');
});
