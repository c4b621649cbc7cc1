import type { DataCase } from "./data-case.js";
import { asked, assistant, begin, brick, end, fruit, good, gpt, human, rows, talk, user } from "./row-case.js";

/** Columns that are named, left out, or not known. */
export const columnCases: readonly DataCase[] = [
  rows(
    "columns under other names",
    [{ question: "Name fruit 0:", answer: " plum", good: "👍" }],
    { status: 0, rows: 1, samples: [[`${begin}Name fruit 0:`, ` plum${end}`, true]] },
    ["--prompt_column", "question", "--completion_column", "answer", "--label_column", "good"],
  ),
  rows(
    "pairs under other names, with a prompt that is not meant",
    [{ prompt: "p-1", text: "Q", better: " a", worse: " b" }],
    {
      status: 0,
      rows: 2,
      samples: [[`${begin}Q`, ` a${end}`, true]],
      says: [/note: prompt_column: "text" is read, and the column "prompt" of the data is not/],
    },
    ["--prompt_column", "text", "--chosen_column", "better", "--rejected_column", "worse"],
  ),
  rows(
    "conversations under another name",
    [{ dialog: [human("Name a fruit."), gpt("Plum.")], label: true }],
    { status: 0, rows: 1, samples: [fruit] },
    ["--messages_column", "dialog"],
  ),
  rows(
    "a prompt that is left out",
    [
      {
        prompt: "Name a fruit.",
        chosen: [user("Name a fruit."), assistant("Plum.")],
        rejected: [user("Name a fruit."), assistant("Brick.")],
      },
    ],
    { status: 0, rows: 2, samples: [fruit, brick] },
    ["--remove_columns", "prompt"],
  ),
  rows(
    "a column that there is not",
    [{ question: "Q", answer: "A", label: true }],
    {
      status: 2,
      says: [
        /prompt_column: the data has no such column; expected one of \["question","answer","label"\], got "questoin"; did you mean question\?/,
      ],
    },
    ["--prompt_column", "questoin", "--completion_column", "answer"],
  ),
  rows("a column that is left out and is not there", [good], { status: 2, says: [/remove_columns: the data has no such column/] }, [
    "--remove_columns",
    "id",
  ]),
  rows(
    "a column that is named twice",
    [{ question: "Q", label: true }],
    { status: 2, says: [/completion_column: that column is named twice/] },
    ["--prompt_column", "question", "--completion_column", "question"],
  ),
  rows(
    "columns of no layout",
    [
      { question: "Q", answer: "A" },
      { question: "R", answer: "B" },
    ],
    { status: 2, says: [/the rows are of no layout that is read/, /\["question","answer"\]/, /--prompt_column/] },
  ),
  rows("texts chosen and rejected beside a question", [{ question: "Why?", chosen: "So.", rejected: "No." }], {
    status: 2,
    says: [/--prompt_column question/, /--remove_columns question/],
  }),
  rows("a split of a single file", [good], { status: 2, says: [/is a single file, which has no splits/] }, ["--split", "validation"]),
];

/** Rows that hold nothing somewhere. The samples are trl 1.16's. */
export const emptyCases: readonly DataCase[] = [
  rows("an empty completion", [good, { prompt: "Name a tool:", completion: "", label: false }, good], {
    status: 0,
    rows: 3,
    samples: [
      [`${begin}Name fruit 0:`, ` plum${end}`, true],
      [`${begin}Name a tool:`, end, false],
      [`${begin}Name fruit 0:`, ` plum${end}`, true],
    ],
  }),
  rows("an empty prompt", [good, { prompt: "", completion: " x", label: false }], {
    status: 0,
    rows: 2,
    samples: [
      [`${begin}Name fruit 0:`, ` plum${end}`, true],
      [begin, ` x${end}`, false],
    ],
  }),
  rows(
    "prompt and completion empty, and blank",
    [
      { ...good, prompt: "", completion: "" },
      { ...good, prompt: " ", completion: " ", label: false },
    ],
    {
      status: 0,
      rows: 2,
      samples: [
        [begin, end, true],
        [`${begin} `, ` ${end}`, false],
      ],
    },
  ),
  rows("a pair with an empty side", [{ prompt: "Q", chosen: "", rejected: " b" }], {
    status: 0,
    rows: 2,
    samples: [
      [`${begin}Q`, end, true],
      [`${begin}Q`, ` b${end}`, false],
    ],
  }),
  rows(
    "messages with empty contents",
    [
      { prompt: [user("")], completion: [assistant("x")], label: true },
      { prompt: [user("q")], completion: [assistant("")], label: false },
    ],
    {
      status: 0,
      rows: 2,
      samples: [
        [asked(""), `x${end}`, true],
        [asked("q"), end, false],
      ],
    },
  ),
  rows(
    "conversations without a message, and a message without content",
    [talk, { ...talk, completion: [] }, { ...talk, prompt: [] }, { ...talk, completion: [assistant(null)] }],
    {
      status: 0,
      rows: 1,
      dropped: [1, 2, 3],
      samples: [[asked("hi"), `yes${end}`, true]],
      says: [/there is no answer.* \(row 1\)/, /a conversation without a message \(row 2\)/, /a message has no content.* \(row 3\)/],
    },
  ),
  rows(
    "pairs that share nothing",
    [
      { chosen: "Q a", rejected: "Q b" },
      { chosen: "", rejected: "Q b" },
    ],
    {
      status: 0,
      rows: 2,
      dropped: [1, 1],
      samples: [[`${begin}Q`, ` a${end}`, true]],
    },
  ),
  rows(
    "conversations that end with the user",
    [
      { messages: [user("hi"), assistant("yes")], label: true },
      { messages: [user("hi")], label: false },
      { messages: [], label: false },
    ],
    {
      status: 0,
      rows: 1,
      dropped: [1, 2],
      samples: [[asked("hi"), `yes${end}`, true]],
    },
  ),
  rows(
    "dropped rows under --strict",
    [talk, { ...talk, completion: [] }, { ...talk, completion: [] }],
    { status: 2, says: [/2 rows would be dropped; expected none, as strict asks/, /\(rows 1, 2\)/, /leave strict out/] },
    ["--strict"],
  ),
  rows(
    "nothing but rows that are dropped",
    [
      { ...talk, completion: [] },
      { ...talk, completion: [] },
    ],
    { status: 2, says: [/every row was dropped/, /\(rows 0, 1\)/] },
  ),
  rows("a missing completion", [good, { prompt: "Q", label: true }], { status: 2, says: [/row 1: the column "completion" is missing/] }),
  rows("a prompt that is null", [good, { ...good, prompt: null }], {
    status: 2,
    says: [/row 1: the column "prompt" is missing \(it is null\)/],
  }),
  rows("a completion that is a number", [good, { ...good, completion: 4 }, good, { ...good, completion: 5 }], {
    status: 2,
    says: [/row 1 and 1 more: "completion" is neither text nor a conversation/, /rows 1, 3/],
  }),
  {
    name: "a broken line",
    files: { "rows.jsonl": `${JSON.stringify(good)}\n{"prompt": "a", "comple\n` },
    outcome: { status: 2, says: [/line 2 of .*rows\.jsonl/] },
  },
];

/** Labels as people write them. */
export const labelCases: readonly DataCase[] = [
  rows(
    "labels as text",
    ["True", "FALSE", "true", "false", "1", "0", "👍", "👎", "👍🏽", "👎\u{fe0f}"].map((label) => ({ ...good, label })),
    {
      status: 0,
      rows: 10,
      samples: Array.from({ length: 10 }, (_, index) => [`${begin}Name fruit 0:`, ` plum${end}`, index % 2 === 0] as const),
      says: [/note: labels are text: .* \(10 rows, the first is row 0\)/],
    },
  ),
  rows(
    "labels as numbers and booleans",
    [1, 0, true, false].map((label) => ({ ...good, label })),
    {
      status: 0,
      rows: 4,
      samples: [true, false, true, false].map((label) => [`${begin}Name fruit 0:`, ` plum${end}`, label] as const),
    },
  ),
  {
    name: "labels of a CSV file",
    files: { "rows.csv": "prompt,completion,label\nQ, a,True\nQ, b,False\n" },
    outcome: {
      status: 0,
      rows: 2,
      samples: [
        [`${begin}Q`, ` a${end}`, true],
        [`${begin}Q`, ` b${end}`, false],
      ],
    },
  },
  ...["yes", "good", "desirable", "", -1, 2, 0.5, [true], { value: true }].map((label) =>
    rows(`the label ${JSON.stringify(label)}`, [good, { ...good, label }], {
      status: 2,
      says: [/row 1: the label is neither true nor false; expected true, false, 1, 0, or as text/, new RegExp(`got ${escaped(label)} \\(`)],
    }),
  ),
  rows(
    "every label another word",
    ["yes", "no", "yes"].map((label) => ({ ...good, label })),
    { status: 2, says: [/row 0 and every other: the label is neither true nor false.*got "yes"/] },
  ),
  rows("a label that is missing", [good, { prompt: "Q", completion: " a" }], { status: 2, says: [/row 1: the column "label" is missing/] }),
];

function escaped(value: unknown): string {
  return JSON.stringify(value)

    .replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
