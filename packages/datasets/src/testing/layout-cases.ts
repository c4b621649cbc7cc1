import type { DataCase } from "./data-case.js";
import { asked, assistant, begin, brick, end, fruit, good, gpt, human, rows, talk, user } from "./row-case.js";

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
