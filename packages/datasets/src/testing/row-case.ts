import type { DataCase, DataOutcome } from "./data-case.js";

/** A file of rows, one JSON object a line. */
export function rows(name: string, lines: readonly object[], outcome: DataOutcome, flags: readonly string[] = []): DataCase {
  return { name, files: { "rows.jsonl": lines.map((line) => `${JSON.stringify(line)}\n`).join("") }, outcome, flags };
}

export const user = (content: unknown): object => ({ role: "user", content });
export const assistant = (content: unknown): object => ({ role: "assistant", content });
export const human = (value: string): object => ({ from: "human", value });
export const gpt = (value: string): object => ({ from: "gpt", value });

export const begin = "<｜begin▁of▁sentence｜>";
export const end = "<｜end▁of▁sentence｜>";
export const asked = (text: string): string => `${begin}<｜User｜>${text}<｜Assistant｜>`;

export const good = { prompt: "Name fruit 0:", completion: " plum", label: true };
export const talk = { prompt: [user("hi")], completion: [assistant("yes")], label: true };
export const fruit = [asked("Name a fruit."), `Plum.${end}`, true] as const;
export const brick = [asked("Name a fruit."), `Brick.${end}`, false] as const;
