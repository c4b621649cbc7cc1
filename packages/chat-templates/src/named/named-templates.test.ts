import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  type ChatMessage,
  chatTemplateNames,
  findChatTemplate,
  namedChatTemplate,
  renderChatTemplate,
  type RenderOptions,
} from "../index.js";

const system = { role: "system", content: "Be brief." };
const question = { role: "user", content: "Hi" };
const answer = { role: "assistant", content: "Yo" };
const next = { role: "user", content: "And?" };
const asked = [question];
const whole = [question, answer];
const conversation = [system, question, answer, next];

function rendered(name: string, messages: readonly ChatMessage[], options: RenderOptions = {}): string {
  const specialTokens = { bos_token: "<s>", eos_token: "</s>" };
  return renderChatTemplate(namedChatTemplate(name).template, messages, { specialTokens, ...options });
}

const qwen = "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n";
const dates = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";
const head = (role: string): string => `<|start_header_id|>${role}<|end_header_id|>\n\n`;
const alpaca = "Below is an instruction that describes a task. Write a response that appropriately completes the request.";
const vicuna =
  "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions.";

/** What each format writes of a question before its answer, of question and answer, and of a conversation with a system message, before its next answer. */
const formats: Record<string, { stop: string[]; asked: string; whole: string; conversation: string }> = {
  chatml: {
    stop: ["<|im_end|>"],
    asked: "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    whole: "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n",
    conversation:
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n",
  },
  "qwen-2.5": {
    stop: ["<|im_end|>"],
    asked: `${qwen}<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n`,
    whole: `${qwen}<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n`,
    conversation:
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n",
  },
  "deepseek-r1": {
    stop: ["<｜end▁of▁sentence｜>"],
    asked: "<s><｜User｜>Hi<｜Assistant｜><think>\n",
    whole: "<s><｜User｜>Hi<｜Assistant｜>Yo<｜end▁of▁sentence｜>",
    conversation: "<s>Be brief.<｜User｜>Hi<｜Assistant｜>Yo<｜end▁of▁sentence｜><｜User｜>And?<｜Assistant｜><think>\n",
  },
  "llama-3": {
    stop: ["<|eot_id|>"],
    asked: `<s>${head("user")}Hi<|eot_id|>${head("assistant")}`,
    whole: `<s>${head("user")}Hi<|eot_id|>${head("assistant")}Yo<|eot_id|>`,
    conversation: `<s>${head("system")}Be brief.<|eot_id|>${head("user")}Hi<|eot_id|>${head("assistant")}Yo<|eot_id|>${head("user")}And?<|eot_id|>${head("assistant")}`,
  },
  "llama-3.1": {
    stop: ["<|eot_id|>"],
    asked: `<s>${head("system")}${dates}<|eot_id|>${head("user")}Hi<|eot_id|>${head("assistant")}`,
    whole: `<s>${head("system")}${dates}<|eot_id|>${head("user")}Hi<|eot_id|>${head("assistant")}Yo<|eot_id|>`,
    conversation: `<s>${head("system")}${dates}Be brief.<|eot_id|>${head("user")}Hi<|eot_id|>${head("assistant")}Yo<|eot_id|>${head("user")}And?<|eot_id|>${head("assistant")}`,
  },
  mistral: {
    stop: [],
    asked: "<s>[INST] Hi [/INST]",
    whole: "<s>[INST] Hi [/INST] Yo</s>",
    conversation: "<s>[INST] Be brief.\n\nHi [/INST] Yo</s>[INST] And? [/INST]",
  },
  gemma: {
    stop: ["<end_of_turn>"],
    asked: "<s><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n",
    whole: "<s><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nYo<end_of_turn>\n",
    conversation:
      "<s><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\nYo<end_of_turn>\n<start_of_turn>user\nAnd?<end_of_turn>\n<start_of_turn>model\n",
  },
  "phi-3": {
    stop: ["<|end|>"],
    asked: "<|user|>\nHi<|end|>\n<|assistant|>\n",
    whole: "<|user|>\nHi<|end|>\n<|assistant|>\nYo<|end|>\n</s>",
    conversation: "<|system|>\nBe brief.<|end|>\n<|user|>\nHi<|end|>\n<|assistant|>\nYo<|end|>\n<|user|>\nAnd?<|end|>\n<|assistant|>\n",
  },
  zephyr: {
    stop: [],
    asked: "<|user|>\nHi</s>\n<|assistant|>\n",
    whole: "<|user|>\nHi</s>\n<|assistant|>\nYo</s>\n",
    conversation: "<|system|>\nBe brief.</s>\n<|user|>\nHi</s>\n<|assistant|>\nYo</s>\n<|user|>\nAnd?</s>\n<|assistant|>\n",
  },
  alpaca: {
    stop: [],
    asked: `<s>${alpaca}\n\n### Instruction:\nHi\n\n### Response:\n`,
    whole: `<s>${alpaca}\n\n### Instruction:\nHi\n\n### Response:\nYo</s>`,
    conversation: "<s>Be brief.\n\n### Instruction:\nHi\n\n### Response:\nYo</s>\n\n### Instruction:\nAnd?\n\n### Response:\n",
  },
  vicuna: {
    stop: [],
    asked: `<s>${vicuna} USER: Hi ASSISTANT:`,
    whole: `<s>${vicuna} USER: Hi ASSISTANT: Yo</s>`,
    conversation: "<s>Be brief. USER: Hi ASSISTANT: Yo</s>USER: And? ASSISTANT:",
  },
  none: { stop: [], asked: "Hi", whole: "HiYo", conversation: "Be brief.HiYoAnd?" },
};

describe.each(Object.entries(formats))("%s", (name, expected) => {
  it("writes what its models were trained on", () => {
    expect(rendered(name, asked, { addGenerationPrompt: true })).toBe(expected.asked);
    expect(rendered(name, whole)).toBe(expected.whole);
    expect(rendered(name, conversation, { addGenerationPrompt: true })).toBe(expected.conversation);
    expect(namedChatTemplate(name).stop).toEqual(expected.stop);
  });

  it("opens an answer as it writes one, so that a prompt is the beginning of prompt and answer", () => {
    const opened = name === "deepseek-r1" ? expected.asked.replace("<think>\n", "") : expected.asked;
    expect(expected.whole.startsWith(opened)).toBe(true);
  });

  it("has no BOS where the model has none, and refuses what it would lose", () => {
    const bare = rendered(name, asked, { specialTokens: {}, addGenerationPrompt: true });
    expect(bare).toBe(expected.asked.replaceAll(/<\/?s>/g, ""));
    expect(() => rendered(name, [])).toThrow("empty conversation");
    expect(() => rendered(name, [{ role: "user" }])).toThrow("has no attribute 'content'");
    expect(() => rendered(name, [{ role: "user", content: [{ type: "text", text: "Hi" }] }])).toThrow("can only concatenate");
  });
});

it("has a test for each", () => {
  const names = chatTemplateNames.map((name) => namedChatTemplate(name).name);
  expect([...new Set(names)]).toEqual(Object.keys(formats));
});

describe("an unknown role", () => {
  const told = [question, { role: "narrator", content: "Meanwhile." }];

  it.each(["deepseek-r1", "alpaca", "vicuna"])("%s refuses it, and a second system message", (name) => {
    expect(() => rendered(name, told)).toThrow(
      `the template ${name} has no turn for the role 'narrator' of message 2; expected system (first), user, assistant`,
    );
    expect(() => rendered(name, [question, system])).toThrow("for the role 'system' of message 2");
  });

  it.each(["qwen-2.5", "phi-3", "zephyr"])("%s refuses it", (name) => {
    expect(() => rendered(name, told)).toThrow("for the role 'narrator' of message 2; expected system, user, assistant");
    expect(rendered(name, [question, system])).toContain("Be brief.");
  });

  it.each(["mistral", "gemma"])("%s takes two roles in turn", (name) => {
    const order = `the template ${name} takes user and assistant in turn, after at most one system message; got `;
    expect(() => rendered(name, told)).toThrow(`${order}user, narrator`);
    expect(() => rendered(name, [answer])).toThrow(`${order}assistant`);
    expect(() => rendered(name, [question, question])).toThrow(`${order}user, user`);
    expect(() => rendered(name, [system])).toThrow("writes a system message into the first user message, and there is none");
  });

  it.each(["chatml", "llama-3", "llama-3.1"])("%s writes it as it is", (name) => {
    expect(rendered(name, told)).toContain("narrator");
  });
});

describe("tools", () => {
  const tools = [{ type: "function", function: { name: "add", parameters: {} } }];
  const call = { role: "assistant", tool_calls: [{ type: "function", function: { name: "add", arguments: { a: 1 } } }] };
  const used = [question, call, { role: "tool", content: "3" }];

  it.each(Object.keys(formats).filter((name) => !["qwen-2.5", "llama-3.1"].includes(name)))("%s refuses them", (name) => {
    expect(() => rendered(name, asked, { tools })).toThrow(`the template ${name} has no place for tools`);
    expect(() => rendered(name, [question, { ...call, content: "" }])).toThrow(`the template ${name} has no place for tool calls`);
  });

  it("qwen-2.5 writes them into the system turn, and results into a user turn", () => {
    expect(rendered("qwen-2.5", used, { tools })).toBe(
      `${qwen.replace("<|im_end|>\n", "")}\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function signatures within <tools></tools> XML tags:\n<tools>\n{"type": "function", "function": {"name": "add", "parameters": {}}}\n</tools>\n\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call><|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n3\n</tool_response><|im_end|>\n`,
    );
  });

  it("llama-3.1 writes them into the first user turn, and results into one of ipython", () => {
    expect(rendered("llama-3.1", used, { tools })).toBe(
      `<s>${head("system")}Environment: ipython\n${dates}<|eot_id|>${head("user")}Given the following functions, please respond with a JSON for a function call with its proper arguments that best answers the given prompt.\n\nRespond in the format {"name": function name, "parameters": dictionary of argument name and its value}.Do not use variables.\n\n{\n    "type": "function",\n    "function": {\n        "name": "add",\n        "parameters": {}\n    }\n}\n\nHi<|eot_id|>${head("assistant")}{"name": "add", "parameters": {"a": 1}}<|eot_id|>${head("ipython")}"3"<|eot_id|>`,
    );
    expect(() => rendered("llama-3.1", [answer], { tools })).toThrow("writes tools into the first user message");
    const two = { ...call, tool_calls: [...call.tool_calls, ...call.tool_calls] };
    expect(() => rendered("llama-3.1", [question, two])).toThrow("takes one tool call a message, got 2");
  });
});

it("deepseek-r1 cuts the reasoning of past answers; llama-3.1 takes a date", () => {
  const thought = { role: "assistant", content: "<think>\nwell\n</think>\n\nYo" };
  expect(rendered("deepseek-r1", [question, thought])).toBe("<s><｜User｜>Hi<｜Assistant｜>\n\nYo<｜end▁of▁sentence｜>");
  expect(rendered("llama-3.1", asked, { variables: { date_string: "1 May 2025" } })).toContain("Today Date: 1 May 2025\n\n<|eot_id|>");
});

describe("names", () => {
  it.each([
    ["ChatML", "chatml"],
    ["qwen-25", "qwen-2.5"],
    ["qwen25", "qwen-2.5"],
    ["qwen2.5", "qwen-2.5"],
    ["llama3", "llama-3"],
    ["llama-31", "llama-3.1"],
    ["llama-3.2", "llama-3.1"],
    ["llama-33", "llama-3.1"],
    ["gemma2", "gemma"],
    ["gemma-3", "gemma"],
    ["phi-35", "phi-3"],
    ["phi-3.5", "phi-3"],
  ])("%s is %s", (given, name) => {
    expect(namedChatTemplate(given).name).toBe(name);
  });

  it("that are not known are refused with those that are", () => {
    expect(findChatTemplate("alpacca")).toBeUndefined();
    expect(() => namedChatTemplate("alpacca")).toThrow(
      'namedChatTemplate: there is no chat template of that name; expected one of chatml, qwen-2.5, deepseek-r1, llama-3, llama-3.1, llama-3.2, llama-3.3, mistral, gemma, gemma-2, gemma-3, phi-3, phi-3.5, zephyr, alpaca, vicuna, none, got "alpacca"; did you mean alpaca?',
    );
    expect(() => namedChatTemplate(undefined as unknown as string)).toThrow("got undefined");
  });
});

describe("renderings of transformers", () => {
  interface Rendering {
    template: string;
    case: string;
    messages: ChatMessage[];
    options: { add_generation_prompt?: boolean; continue_final_message?: boolean; tools?: object[] };
    nulls_kept?: boolean;
    text?: string;
  }
  const specialTokens = { bos_token: "<｜begin▁of▁sentence｜>", eos_token: "<｜end▁of▁sentence｜>" };
  const file = new URL("../../../testing/fixtures/templates/renderings.jsonl", import.meta.url);
  const rows = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Rendering);
  /** Names, their fixture, and the cases in which ours refuses what the fixture loses, or writes a system message that it refuses or loses. */
  const fixtures: [name: string, fixture: string, differs: RegExp][] = [
    ["chatml", "chatml-generation", /^$/],
    ["qwen-2.5", "qwen2.5", /^bad-role$/],
    ["deepseek-r1", "deepseek-r1-distill", /^(bad-role|two-systems)$/],
    ["llama-3", "llama-3", /^missing-content$/],
    ["mistral", "mistral", /^system-multi-turn$/],
    ["gemma", "gemma", /^(system-user|empty-system|system-multi-turn|bad-role|missing-content)$/],
    ["phi-3", "phi-3", /^bad-role$/],
    ["zephyr", "zephyr", /^bad-role$/],
    ["alpaca", "alpaca", /^missing-content$/],
  ];

  it.each(fixtures)("%s", (name, fixture, differs) => {
    const ownTools = name === "qwen-2.5";
    for (const row of rows.filter(({ template }) => template === fixture)) {
      const { messages, options } = row;
      let text: string | undefined;
      try {
        text = renderChatTemplate(namedChatTemplate(name).template, messages, {
          specialTokens: name === "alpaca" ? { eos_token: specialTokens.eos_token } : specialTokens, // the fixture writes no BOS
          addGenerationPrompt: options.add_generation_prompt,
          continueFinalMessage: options.continue_final_message,
          tools: options.tools,
          keepNulls: row.nulls_kept,
        });
      } catch {
        text = undefined;
      }
      const hasTools = options.tools !== undefined || messages.some((message) => "tool_calls" in message);
      if (hasTools && !ownTools) expect(text, row.case).toBeUndefined();
      else if (differs.test(row.case)) expect(text, row.case).not.toBe(row.text);
      else expect(text, row.case).toBe(row.text);
    }
  });
});
