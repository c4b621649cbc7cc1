import type { DataCase, DataOutcome } from "./data-case.js";

/** A file of rows, one JSON object a line. */
function rows(name: string, lines: readonly object[], outcome: DataOutcome, flags: readonly string[] = []): DataCase {
  return { name, files: { "rows.jsonl": lines.map((line) => `${JSON.stringify(line)}\n`).join("") }, outcome, flags };
}

const user = (content: unknown): object => ({ role: "user", content });
const assistant = (content: unknown): object => ({ role: "assistant", content });
const human = (value: string): object => ({ from: "human", value });
const gpt = (value: string): object => ({ from: "gpt", value });

const begin = "<｜begin▁of▁sentence｜>";
const end = "<｜end▁of▁sentence｜>";
const asked = (text: string): string => `${begin}<｜User｜>${text}<｜Assistant｜>`;

const good = { prompt: "Name fruit 0:", completion: " plum", label: true };
const talk = { prompt: [user("hi")], completion: [assistant("yes")], label: true };
const fruit = [asked("Name a fruit."), `Plum.${end}`, true] as const;
const brick = [asked("Name a fruit."), `Brick.${end}`, false] as const;

/** Layouts of other tools. The samples are what trl 1.16 makes of the same conversations in its own layout. */
export const layoutCases: readonly DataCase[] = [
  rows(
    "ShareGPT with labels and a system turn",
    [
      {
        conversations: [{ from: "system", value: "Be brief." }, human("Name a fruit."), gpt("Plum."), human("Another."), gpt("Pear.")],
        label: true,
      },
      { conversations: [human("Name a tool."), gpt("Saw.")], label: false },
    ],
    {
      status: 0,
      rows: 2,
      samples: [
        [`${begin}Be brief.<｜User｜>Name a fruit.<｜Assistant｜>Plum.${end}<｜User｜>Another.<｜Assistant｜>`, `Pear.${end}`, true],
        [asked("Name a tool."), `Saw.${end}`, false],
      ],
      says: [/note: the rows are whole conversations \(conversations or messages/],
    },
  ),
  rows(
    "ShareGPT with kto_tag and the system prompt in a column",
    [{ conversations: [human("Name a fruit."), gpt("Plum.")], kto_tag: true, system: "Be brief." }],
    { status: 0, rows: 1, samples: [[`${begin}Be brief.<｜User｜>Name a fruit.<｜Assistant｜>`, `Plum.${end}`, true]] },
  ),
  rows(
    "ShareGPT with chosen and rejected as single turns",
    [{ conversations: [human("Name a fruit.")], chosen: gpt("Plum."), rejected: gpt("Brick.") }],
    { status: 0, rows: 2, samples: [fruit, brick], says: [/conversations with two answers/] },
  ),
  rows("messages with chosen and rejected as texts", [{ messages: [user("Name a fruit.")], chosen: "Plum.", rejected: "Brick." }], {
    status: 0,
    rows: 2,
    samples: [fruit, brick],
  }),
  rows(
    "messages with labels",
    [
      { messages: [user("Name a fruit."), assistant("Plum.")], label: true },
      { messages: [user("Name a fruit."), assistant("Brick.")], label: false },
    ],
    { status: 0, rows: 2, samples: [fruit, brick] },
  ),
  rows("messages with a rejected response", [{ messages: [user("Name a fruit."), assistant("Plum.")], rejected_response: "Brick." }], {
    status: 0,
    rows: 2,
    samples: [fruit, brick],
  }),
  rows(
    "messages with rejected messages",
    [{ messages: [user("Name a fruit."), assistant("Plum.")], rejected_messages: [user("Name a fruit."), assistant("Brick.")] }],
    { status: 0, rows: 2, samples: [fruit, brick] },
  ),
  rows(
    "turns of from and value in trl's columns",
    [{ prompt: [human("Name a fruit.")], chosen: [gpt("Plum.")], rejected: [gpt("Brick.")] }],
    {
      status: 0,
      rows: 2,
      samples: [fruit, brick],
      says: [/note: turns of from and value are read as messages/],
    },
  ),
  rows(
    "alpaca rows with history and system",
    [
      {
        instruction: "Add.",
        input: "1 and 2",
        output: "3",
        history: [["Hi", "Hello."]],
        system: "Be brief.",
        label: true,
        source: "made up",
      },
      { instruction: "Say no.", input: "", output: "No.", history: [], system: "", label: false },
    ],
    {
      status: 0,
      rows: 2,
      samples: [
        [`${begin}Be brief.<｜User｜>Hi<｜Assistant｜>Hello.${end}<｜User｜>Add.\n1 and 2<｜Assistant｜>`, `3${end}`, true],
        [asked("Say no."), `No.${end}`, false],
      ],
      says: [/note: the rows are alpaca rows/],
    },
  ),
  rows("alpaca rows with two answers", [{ instruction: "Name a fruit.", chosen: "Plum.", rejected: "Brick." }], {
    status: 0,
    rows: 2,
    samples: [fruit, brick],
  }),
  rows("query and response", [{ query: "Name a fruit.", response: "Plum.", rejected_response: "Brick." }], {
    status: 0,
    rows: 2,
    samples: [fruit, brick],
  }),
  rows(
    "OpenAI's preference rows",
    [
      {
        input: { messages: [user("Name a fruit.")], tools: [], parallel_tool_calls: true },
        preferred_output: [assistant("Plum.")],
        non_preferred_output: [assistant("Brick.")],
      },
    ],
    { status: 0, rows: 2, samples: [fruit, brick], says: [/OpenAI's preference rows/] },
  ),
  rows(
    "ShareGPT with calls of functions",
    [
      {
        conversations: [
          human("Weather?"),
          { from: "function_call", value: '{"name": "weather", "arguments": {"place": "Rome", "days": 2}}' },
          { from: "observation", value: "Sun." },
          gpt("It is sunny."),
        ],
        label: true,
      },
    ],
    {
      status: 0,
      rows: 1,
      samples: [['<user>Weather?<assistant>[weather {"place": "Rome", "days": 2}]<tool>Sun.<assistant>', "It is sunny.", true]],
    },
    [
      "--chat_template",
      "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% for c in m.tool_calls %}[{{ c.function.name }} {{ c.function.arguments | tojson }}]{% endfor %}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
    ],
  ),
  rows("dialogues as texts", [{ chosen: "\n\nHuman: Hi\n\nAssistant: Yes sir", rejected: "\n\nHuman: Hi\n\nAssistant: Yellow" }], {
    status: 0,
    rows: 2,
    samples: [
      [`${begin}\n\nHuman: Hi\n\nAssistant: Y`, `es sir${end}`, true],
      [`${begin}\n\nHuman: Hi\n\nAssistant: Y`, `ellow${end}`, false],
    ],
    says: [/note: the texts are dialogues of Human: and Assistant:/],
  }),
  rows("pairs with a label, which is not read", [{ prompt: "Q", chosen: " a", rejected: " b", label: true }], {
    status: 0,
    rows: 2,
    samples: [
      [`${begin}Q`, ` a${end}`, true],
      [`${begin}Q`, ` b${end}`, false],
    ],
    says: [/note: the column label is not read beside two answers/],
  }),
];

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

/** Files whose rows are not all of one layout, or of one that cannot be trained on: said once, for the file. */
export const mixedCases: readonly DataCase[] = [
  rows(
    "pairs with a text as prompt and whole conversations",
    Array.from({ length: 2 }, () => ({
      prompt: "How?",
      chosen: [user("How?"), assistant("So.")],
      rejected: [user("How?"), assistant("No.")],
    })),
    {
      status: 2,
      says: [
        /row 0 and every other: prompt is of another kind than chosen and rejected/,
        /hold the whole conversation.*--remove_columns prompt/,
      ],
    },
  ),
  rows("a text as prompt and an answer as conversation", [{ prompt: "How?", completion: [assistant("So.")], label: true }], {
    status: 2,
    says: [/row 0: prompt is of another kind than completion/, /write the prompt as \[/],
  }),
  rows("a conversation as prompt and a text as completion", [{ prompt: [user("How?")], completion: "So.", label: true }], {
    status: 2,
    says: [/write completion as \[/],
  }),
  rows("labelled rows, then pairs", [good, good, { prompt: "Q", chosen: "a", rejected: "b" }], {
    status: 2,
    says: [/row 2: it is of another layout than the rows before; expected labelled completions \(prompt, completion, label\), got pairs/],
  }),
  rows("ShareGPT, then trl's", [{ conversations: [human("hi"), gpt("yes")], label: true }, good, good], {
    status: 2,
    says: [/row 1 and 1 more: it is of another layout.*rows 1, 2/],
  }),
  rows("texts, then conversations", [good, talk], {
    status: 0,
    rows: 2,
    samples: [
      [`${begin}Name fruit 0:`, ` plum${end}`, true],
      [asked("hi"), `yes${end}`, true],
    ],
    says: [/note: some rows are texts and some are conversations: each is read as what it is.*\(row 1\)/],
  }),
  rows("images", [{ ...good, images: ["a.png"] }], { status: 2, says: [/"images" holds more than text/, /--remove_columns images/] }),
  rows("an unknown speaker", [{ conversations: [{ from: "narrator", value: "Once." }, gpt("Yes.")], label: true }], {
    status: 2,
    says: [/row 0: a turn of "conversations" is of an unknown speaker.*got "narrator" in turn 0/],
  }),
  rows("a conversation that is text", [{ messages: "hi", label: true }], { status: 2, says: [/row 0: "messages" is not a conversation/] }),
  rows("an answer before two answers", [{ conversations: [human("hi"), gpt("yes")], chosen: gpt("a"), rejected: gpt("b") }], {
    status: 2,
    says: [/the conversation ends with the assistant/],
  }),
  rows(
    "two kinds of mistakes at once",
    [
      { ...good, label: "yes" },
      { ...good, completion: 4 },
    ],
    { status: 2, says: [/row 0: the label/, /row 1: "completion"/] },
  ),
];

function escaped(value: unknown): string {
  return JSON.stringify(value)

    .replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
