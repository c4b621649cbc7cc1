import { isKtoError } from "@kto/core";
import { describe, expect, it } from "vitest";
import { checkChatTemplate, type ChatMessage, hasGenerationBlocks, renderChat, renderChatTemplate, TemplateError } from "./index.js";

const hello: ChatMessage[] = [{ role: "user", content: "hello" }];

function failure(run: () => unknown): TemplateError {
  try {
    run();
  } catch (error) {
    return error as TemplateError;
  }
  throw new Error("expected an error");
}

describe("renderChatTemplate", () => {
  it("says what is wrong, where, and whose fault it is", () => {
    const error = failure(() => renderChatTemplate("a\n{% if true %}\n{{ raise_exception('no ' ~ messages[0].role) }}{% endif %}", hello));
    expect(error).toBeInstanceOf(TemplateError);
    expect(isKtoError(error)).toBe(true);
    expect(error).toMatchObject({ code: "TEMPLATE", errorType: "TemplateError", reason: "no user", line: 3 });
    expect(error.message).toBe("renderChatTemplate: no user (line 3 of the template)");
  });

  it("removes null keys of messages unless told to keep them, and leaves deeper nulls", () => {
    const template = "{{ messages[0] }}";
    const messages = [{ role: "user", content: null, calls: [{ id: null }] }];
    expect(renderChatTemplate(template, messages)).toBe("{'role': 'user', 'calls': [{'id': None}]}");
    expect(renderChatTemplate(template, messages, { keepNulls: true })).toBe("{'role': 'user', 'content': None, 'calls': [{'id': None}]}");
    expect(messages[0]).toHaveProperty("content", null);
  });

  it("passes tools, documents, special tokens and variables; absent tools are none", () => {
    const template = "{{ tools is none }}{{ documents | tojson }}{{ bos_token }}{{ eos_token is defined }}{{ enable_thinking }}";
    const options = {
      documents: [{ title: "T" }],
      specialTokens: { bos_token: "<s>", eos_token: undefined },
      variables: { enable_thinking: false },
    };
    expect(renderChatTemplate(template, hello, options)).toBe('True[{"title": "T"}]<s>FalseFalse');
    expect(renderChatTemplate("{{ tools[0].function.name }}", hello, { tools: [{ type: "function", function: { name: "f" } }] })).toBe("f");
  });

  it("tells the time by the given clock", () => {
    const now = (): Date => new Date(2024, 6, 4, 9, 5, 3);
    expect(renderChatTemplate("{{ strftime_now('%Y-%m-%d|%d %b %Y|%A %-d %B|%H:%M:%S|%I %p|%j|%y|%%|%q') }}", hello, { now })).toBe(
      "2024-07-04|04 Jul 2024|Thursday 4 July|09:05:03|09 AM|186|24|%|%q",
    );
  });

  it("goes on with the final message", () => {
    const template = "{% for m in messages %}<{{ m.content }}>{% endfor %}";
    const trimming = "{% for m in messages %}<{{ m.content | trim }}>{% endfor %}";
    const messages = [...hello, { role: "assistant", content: "Sure: " }];
    expect(renderChatTemplate(template, messages, { continueFinalMessage: true })).toBe("<hello><Sure: ");
    expect(renderChatTemplate(trimming, messages, { continueFinalMessage: true })).toBe("<hello><Sure:");
    const parts = [{ role: "assistant", content: [{ type: "text", text: "a" }, { type: "image" }] }];
    expect(renderChatTemplate("{% for p in messages[0].content %}[{{ p.text }}]{% endfor %}", parts, { continueFinalMessage: true })).toBe(
      "[a",
    );
    expect(
      renderChatTemplate("{{ messages[0].reasoning }}|", [{ role: "assistant", reasoning: "x" }], { continueFinalMessage: "reasoning" }),
    ).toBe("x");
    expect(messages[1]!.content).toBe("Sure: ");
  });

  it("refuses what transformers refuses, as a ValueError", () => {
    const reasons = [
      failure(() => renderChatTemplate("x", [])),
      failure(() => renderChatTemplate("{{ messages[0].content }}", hello, { continueFinalMessage: true, addGenerationPrompt: true })),
      failure(() => renderChatTemplate("x content", hello, { continueFinalMessage: true })),
      failure(() => renderChatTemplate("x", hello, { continueFinalMessage: true })),
      failure(() => renderChatTemplate("x content", [{ role: "user" }], { continueFinalMessage: true })),
      failure(() => renderChatTemplate("x content", [{ role: "user", content: [{ type: "image" }] }], { continueFinalMessage: true })),
    ];
    expect(reasons.map(({ errorType }) => errorType)).toEqual(Array.from({ length: 6 }, () => "ValueError"));
    expect(reasons.map(({ reason }) => reason.split(/[.!]/)[0])).toEqual([
      "Cannot apply chat template to an empty conversation",
      "continue_final_message and add_generation_prompt are not compatible",
      "continue_final_message is set but the final message does not appear in the chat after applying the chat template",
      'continue_final_message is set to "content" but this is not an accepted field in the chat_template',
      'continue_final_message is set but the final message has no "content" to continue',
      "continue_final_message is set but we could not find any text to continue in the final message",
    ]);
  });

  it("bounds what a hostile template can ask for", () => {
    expect(failure(() => renderChatTemplate("{{ 'x' * 1000000000000 }}", hello)).errorType).toBe("MemoryError");
    expect(failure(() => renderChatTemplate("{{ 9 ** 99999 }}", hello)).errorType).toBe("OverflowError");
    expect(failure(() => renderChatTemplate("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", hello)).errorType).toBe("RecursionError");
    expect(failure(() => renderChatTemplate("{{ messages.append(1) }}", hello)).errorType).toBe("SecurityError");
    expect(failure(() => renderChatTemplate("{{ x }}", hello, { variables: { x: () => 1 } })).errorType).toBe("TypeError");
    const nested = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`) as unknown;
    expect(failure(() => renderChatTemplate("{{ x }}", hello, { variables: { x: nested } })).errorType).toBe("RecursionError");
  });
});

it("finds the text of generation blocks", () => {
  const template = "{% for m in messages %}{{ m.role }}:{% generation %}{{ m.content }}.{% endgeneration %} {% endfor %}";
  const messages = [...hello, { role: "assistant", content: "😀 ok" }];
  const { text, generations } = renderChat(template, messages);
  expect(generations.map(({ start, end }) => text.slice(start, end))).toEqual(["hello.", "😀 ok."]);
  const cut = renderChat(template, messages, { continueFinalMessage: true });
  expect(cut.generations.at(-1)!.end).toBe(cut.text.length);
  expect(hasGenerationBlocks(template)).toBe(true);
  expect(hasGenerationBlocks("{{ generation }}")).toBe(false);
});

it("checks a template without rendering it", () => {
  checkChatTemplate("{{ messages }}");
  expect(failure(() => checkChatTemplate("{% for m in messages %}"))).toMatchObject({ errorType: "TemplateSyntaxError", line: 1 });
});

it("renders a long conversation fast enough for a data set", () => {
  const template = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] + '</s>' }}{% endfor %}";
  const messages = Array.from({ length: 20 }, (_, index) => ({ role: index % 2 ? "assistant" : "user", content: "word ".repeat(200) }));
  const start = performance.now();
  for (let row = 0; row < 1000; row++) renderChatTemplate(template, messages);
  expect(performance.now() - start).toBeLessThan(5000);
});
