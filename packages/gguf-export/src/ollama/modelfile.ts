import { type Fields, fieldsOf } from "../json-fields.js";
import type { TurnParts } from "./turn-parts.js";

/** What a Modelfile says of a model. */
export interface ModelfileFacts {
  /** Name of the GGUF file beside it. */
  readonly from: string;
  /** Names of other kinds of the same model beside it, to be taken in its place. */
  readonly others?: readonly string[] | undefined;
  /** What the chat template writes around turns; without it TEMPLATE is left out. */
  readonly turns?: TurnParts | undefined;
  /** The GGUF file has a chat template, which Ollama takes where there is no TEMPLATE. */
  readonly hasTemplate?: boolean | undefined;
  /** The tokenizer puts BOS before a text itself, and the template must not. */
  readonly addsBos: boolean;
  /** Texts that end an answer. */
  readonly stop: readonly string[];
  /** A parsed generation_config.json. */
  readonly generationConfig?: unknown;
}

/** Settings of generation under Ollama's names, with their bounds. */
const parameters = [
  ["temperature", "temperature"],
  ["top_p", "top_p"],
  ["top_k", "top_k"],
  ["min_p", "min_p"],
  ["repetition_penalty", "repeat_penalty"],
] as const;

/**
 * A Modelfile for `ollama create NAME -f Modelfile`: the GGUF file, the template of its conversations in Go's language, texts that end an answer, and settings of generation. Tools are
 * not in the template.
 */
export function ollamaModelfile({ from, others = [], turns, hasTemplate, addsBos, stop, generationConfig }: ModelfileFacts): string {
  const settings = fieldsOf(generationConfig);
  return [
    "# ollama create NAME -f Modelfile",
    ...others.map((other) => `# or FROM ./${other}`),
    `FROM ./${from}`,
    "",
    ...(turns ? templateLines(turns, addsBos) : [`# No TEMPLATE: ${hasTemplate ? "Ollama takes the one in the GGUF file" : "the model has no chat template"}.`, ""]), // prettier-ignore
    ...[...new Set(stop)].filter((text) => !/["\n]/.test(text)).map((text) => `PARAMETER stop "${text}"`),
    ...parameters.flatMap(([setting, name]) => numberLine(settings, setting, name)),
    "",
  ].join("\n");
}

function numberLine(settings: Fields, setting: string, name: string): string[] {
  const value = settings[setting];
  return typeof value === "number" && Number.isFinite(value) ? [`PARAMETER ${name} ${value}`] : [];
}

function templateLines(turns: TurnParts, addsBos: boolean): string[] {
  const { defaultSystem } = turns;
  const start = addsBos ? "" : literal(turns.start);
  return [
    `TEMPLATE """${start}`,
    `{{- if .System }}${literal(turns.beforeSystem)}{{ .System }}${literal(turns.afterSystem)}{{ end }}`,
    "{{- range $index, $_ := .Messages }}",
    "{{- $isLast := eq (len (slice $.Messages $index)) 1 }}",
    `{{- if eq .Role "user" }}${literal(turns.beforeUser)}{{ .Content }}{{ if $isLast }}${literal(turns.opening)}{{ else }}${literal(turns.beforeAnswer)}{{ end }}`,
    `{{- else if eq .Role "assistant" }}{{ .Content }}{{ if not $isLast }}${literal(turns.afterAnswer)}{{ end }}`,
    "{{- end }}",
    '{{- end }}"""',
    ...(defaultSystem === undefined ? [] : [`SYSTEM """${defaultSystem}"""`]),
    "",
  ];
}

/** A text as a string of Go, so that its blanks and newlines stay. */
function literal(text: string): string {
  return text === "" ? "" : `{{ ${JSON.stringify(text)} }}`;
}
