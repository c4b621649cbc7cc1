import { isKtoError } from "@kto/core";
import { describe, expect, it } from "vitest";
import { renderChatTemplate, type RenderOptions, type TemplateError } from "../index.js";
import { heavyTemplates, refusedTemplates } from "../testing/hostile-templates.js";

const hello = [{ role: "user", content: "hello" }];

/** Time that this process computes, so that a busy machine fails no test: a second is allowed, a few are slack for a slow one. */
function secondsOf(run: () => void): number {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

function failure(template: string, options: RenderOptions = {}): TemplateError {
  try {
    renderChatTemplate(template, hello, options);
  } catch (error) {
    expect(isKtoError(error)).toBe(true);
    return error as TemplateError;
  }
  throw new Error("expected an error");
}

const named = <Second>(cases: readonly (readonly [string, Second])[]): [string, string, Second][] =>
  cases.map(([template, second], index) => [`${index} ${template.slice(0, 90)}`, template, second]);

describe("a template that asks for too much", () => {
  it.each(named(refusedTemplates))("%s", (_, template, errorType) => {
    let error: TemplateError | undefined;
    const seconds = secondsOf(() => {
      error = failure(template);
    });
    expect(error!.errorType).toBe(errorType);
    expect(seconds).toBeLessThan(3);
  });
});

describe("a template that asks for much", () => {
  it.each(named(heavyTemplates))("%s", (_, template, text) => {
    let rendered: string | undefined;
    const seconds = secondsOf(() => {
      rendered = renderChatTemplate(template, hello);
    });
    expect(rendered === text).toBe(true);
    expect(seconds).toBeLessThan(3);
  });
});

describe("limits", () => {
  const loop = "{% for i in range(1000) %}{{ i }}{% endfor %}";

  it("are the caller's to set, and the error says which to raise", () => {
    expect(failure(loop, { limits: { steps: 1000 } })).toMatchObject({
      errorType: "TimeoutError",
      reason:
        "the template takes more than 1000 steps to render; mend the template or shorten what it is given, or allow more with limits.steps",
      line: 1,
    });
    expect(failure("{{ 'a' * 1000 }}", { limits: { bytes: 1000 } }).reason).toContain("more than 1000 bytes");
    expect(renderChatTemplate("{{ ('a' * 100000000)|length }}", hello, { limits: { bytes: 2 ** 30, steps: Infinity } })).toBe("100000000");
  });

  it("are of one rendering: the next one has them whole", () => {
    for (let time = 0; time < 3; time++) expect(renderChatTemplate(loop, hello, { limits: { steps: 10_000 } })).toHaveLength(2890);
    failure(loop, { limits: { steps: 10 } });
    expect(renderChatTemplate(loop, hello)).toHaveLength(2890);
  });

  it("hold inside a clock that renders", () => {
    const now = (): Date => {
      renderChatTemplate(loop, hello);
      return new Date(0);
    };
    expect(renderChatTemplate("{{ strftime_now('%Y') }}", hello, { now, limits: { steps: 100 } })).toMatch(/^19(?:69|70)$/);
  });

  it("leave room for long rows: a megabyte of text, a thousand turns", () => {
    const template =
      "{% for m in messages %}{% set content = m.content.split('</think>')[-1]|trim %}<|{{ m.role }}|>{{ content + '</s>' }}{% if '<tool>' in content %}x{% endif %}{% endfor %}";
    const long = [{ role: "user", content: "word ".repeat(200_000) }];
    expect(renderChatTemplate(template, long)).toHaveLength(200_000 * 5 - 1 + 12);
    const turns = Array.from({ length: 1000 }, (_, index) => ({ role: index % 2 ? "assistant" : "user", content: "word ".repeat(100) }));
    expect(renderChatTemplate(template, turns).length).toBeGreaterThan(500_000);
  });

  it("data that nests deeper than Python walks is refused", () => {
    const nested = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`) as unknown;
    expect(failure("{{ x }}", { variables: { x: nested } }).errorType).toBe("RecursionError");
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    expect(failure("{{ x }}", { variables: { x: circular } }).errorType).toBe("RecursionError");
  });
});
