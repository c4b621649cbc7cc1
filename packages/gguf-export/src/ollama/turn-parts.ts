/** A message of a conversation, as chat templates take it. */
export interface ChatTurn {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** What a chat template writes around the turns of a conversation. */
export interface TurnParts {
  /** At the very beginning, before a system text or the first question. */
  readonly start: string;
  readonly beforeSystem: string;
  readonly afterSystem: string;
  readonly beforeUser: string;
  /** Between a question and its answer. */
  readonly beforeAnswer: string;
  /** After the last question: the answer begins here. */
  readonly opening: string;
  /** After an answer that another question follows. */
  readonly afterAnswer: string;
  /** What stands for a system text where there is none. */
  readonly defaultSystem: string | undefined;
}

const SYSTEM = "the-system-text";
const FIRST = "the-first-question";
const ANSWER = "the-first-answer";
const SECOND = "the-second-question";

const turns = (...contents: readonly (readonly [ChatTurn["role"], string])[]): ChatTurn[] =>
  contents.map(([role, content]) => ({ role, content }));

/**
 * What a chat template writes around turns, found out by rendering conversations; undefined for one that is not built of turns, or writes something else into other conversations.
 *
 * @param render  the conversation as text, with the opening of an answer
 * @param bos     text of the BOS token
 */
export function turnParts(render: (messages: readonly ChatTurn[]) => string, bos: string | undefined): TurnParts | undefined {
  try {
    const parts = takeApart(render, bos);
    return parts && checks.every((messages) => render(messages) === fill(parts, messages)) ? parts : undefined;
  } catch {
    return undefined; // a template that asks for a system text, for one
  }
}

/**
 * What a chat template writes between an answer and the question after it, the end of the turn first; undefined where that cannot be told.
 *
 * @param render  as of `turnParts`
 */
export function textAfterAnswer(render: (messages: readonly ChatTurn[]) => string): string | undefined {
  try {
    return cut(render(turns(["user", FIRST], ["assistant", ANSWER], ["user", SECOND])), [FIRST, ANSWER, SECOND])?.[2];
  } catch {
    return undefined;
  }
}

/** Conversations that tell whether the parts are all of a template. */
const checks: readonly (readonly ChatTurn[])[] = [
  turns(["user", "One?"]),
  turns(["system", "Be brief."], ["user", "One?"]),
  turns(["user", "One?"], ["assistant", "Two."], ["user", "Three?"], ["assistant", "Four."], ["user", "Five?"]),
  turns(
    ["system", "Be brief."],
    ["user", "One\ntwo?"],
    ["assistant", "Two."],
    ["user", "Three?"],
    ["assistant", "Four."],
    ["user", "Five?"],
  ),
];

function takeApart(render: (messages: readonly ChatTurn[]) => string, bos: string | undefined): TurnParts | undefined {
  const rest = turns(["user", FIRST], ["assistant", ANSWER], ["user", SECOND]);
  const whole = render([...turns(["system", SYSTEM]), ...rest]);
  const bare = render(rest);
  const start = bos !== undefined && bos !== "" && whole.startsWith(bos) && bare.startsWith(bos) ? bos : "";
  const withSystem = cut(whole.slice(start.length), [SYSTEM, FIRST, ANSWER, SECOND]);
  const without = cut(bare.slice(start.length), [FIRST, ANSWER, SECOND]);
  if (!withSystem || !without) return undefined;
  const [beforeSystem, fromSystem, beforeAnswer, fromAnswer, opening] = withSystem as [string, string, string, string, string];
  const first = without[0]!;
  const common = { start, beforeSystem, beforeAnswer, opening };
  if (fromSystem.endsWith(first) && fromAnswer.endsWith(first))
    return {
      ...common,
      beforeUser: first,
      afterSystem: withoutEnd(fromSystem, first),
      afterAnswer: withoutEnd(fromAnswer, first),
      defaultSystem: undefined,
    };
  if (!first.startsWith(beforeSystem) || !first.endsWith(fromSystem) || first.length <= beforeSystem.length + fromSystem.length)
    return undefined;
  const beforeUser = commonEnd(fromSystem, fromAnswer);
  const defaultSystem = first.slice(beforeSystem.length, first.length - fromSystem.length);
  return {
    ...common,
    beforeUser,
    afterSystem: withoutEnd(fromSystem, beforeUser),
    afterAnswer: withoutEnd(fromAnswer, beforeUser),
    defaultSystem,
  };
}

/** A conversation with these parts: what the template of the Modelfile gives. */
function fill(parts: TurnParts, messages: readonly ChatTurn[]): string {
  const system = messages.find(({ role }) => role === "system")?.content ?? parts.defaultSystem;
  const texts = messages.map(({ role, content }, index) => {
    if (role === "user") return parts.beforeUser + content + (index === messages.length - 1 ? parts.opening : parts.beforeAnswer);
    return role === "assistant" ? content + parts.afterAnswer : "";
  });
  return parts.start + (system === undefined ? "" : parts.beforeSystem + system + parts.afterSystem) + texts.join("");
}

/** The texts between marks that stand in this order. */
function cut(text: string, marks: readonly string[]): string[] | undefined {
  const pieces: string[] = [];
  let at = 0;
  for (const mark of marks) {
    const found = text.indexOf(mark, at);
    if (found < 0) return undefined;
    pieces.push(text.slice(at, found));
    at = found + mark.length;
  }
  return [...pieces, text.slice(at)];
}

function withoutEnd(text: string, end: string): string {
  return text.slice(0, text.length - end.length);
}

function commonEnd(a: string, b: string): string {
  let length = 0;
  while (length < Math.min(a.length, b.length) && a.at(-1 - length) === b.at(-1 - length)) length++;
  return a.slice(a.length - length);
}
