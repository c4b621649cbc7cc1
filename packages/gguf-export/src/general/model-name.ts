/** What the name of a model says, as llama.cpp's converter reads names. */
export interface NameParts {
  /** The name without its owner. */
  readonly fullName: string | undefined;
  readonly organization: string | undefined;
  readonly basename: string | undefined;
  readonly finetune: string | undefined;
  readonly version: string | undefined;
  readonly sizeLabel: string | undefined;
}

type Kind = "basename" | "sizeLabel" | "finetune" | "version" | "type";

interface Part {
  text: string;
  readonly kinds: Set<Kind>;
}

const VERSION = /^(v|iter)?\d+(\.\d+)*$/i;
const ENCODING = /^(i?q\d(_\w)*|b?fp?(16|32))$/i;
const SIZE = /^((A|\d+x)?\d+([._]\d+)?[KMBT]\d?|small|mini|medium|large|x?xl)$/i;
const FINETUNE = /^(chat|instruct|vision|lora)$/i;

/**
 * Takes a name such as `owner/DeepSeek-R1-Distill-Qwen-1.5B` apart at its hyphens: what stands first and is of no known kind is the base, a size such as `1.5B` the size,
 * `v2` the version, and the rest a fine-tune. A size far from the true one is taken for a length of the context.
 *
 * @param numParameters  of the model that has the name, or one like it; 0 where it is not known
 */
export function parseModelName(name: string, numParameters: number = 0): NameParts {
  const none = { organization: undefined, basename: undefined, finetune: undefined, version: undefined, sizeLabel: undefined };
  if (name.includes(" ")) return { fullName: name, ...none }; // a sentence
  const slash = name.indexOf("/");
  const owner = slash < 0 ? undefined : name.slice(0, slash);
  const fullName = name.slice(slash + 1);
  const parts: Part[] = fullName
    .split("-")
    .filter((text) => text !== "")
    .map((text) => ({ text, kinds: new Set() }));
  for (const [index, part] of parts.entries()) classify(part, index, numParameters);
  keepNumberedSizes(parts);
  markBasename(parts);
  const joined = (kind: Kind, texts = parts.filter(({ kinds }) => kinds.has(kind)).map(({ text }) => text)): string | undefined =>
    texts.length > 0 ? texts.join("-") : undefined;
  const sizes = parts.filter(({ kinds }) => kinds.has("sizeLabel")).map(({ text }) => text);
  const sizeLabel = joined("sizeLabel", [...new Set(sizes)]);
  const finetune = joined("finetune");
  const versions = parts.filter(({ kinds }) => kinds.has("version") && !kinds.has("basename")).map(({ text }) => text);
  const version = joined("version", versions);
  const isClear = sizeLabel !== undefined || finetune !== undefined || version !== undefined;
  return {
    fullName,
    organization: owner?.startsWith(".") ? undefined : owner,
    basename: isClear ? joined("basename") : undefined,
    finetune,
    version,
    sizeLabel,
  };
}

function classify(part: Part, index: number, numParameters: number): void {
  const { text, kinds } = part;
  if (VERSION.test(text)) kinds.add("version");
  else if (ENCODING.test(text)) {
    kinds.add("type");
    part.text = text.toUpperCase();
  } else if (index > 0 && SIZE.test(text)) classifySize(part, numParameters);
  else if (index > 0 && FINETUNE.test(text)) kinds.add("finetune");
}

function classifySize(part: Part, numParameters: number): void {
  let label = part.text.replace("_", ".");
  if (/\d$/.test(label)) label = `${label.slice(0, -2)}.${label.at(-1)}${label.at(-2)}`; // 7b1
  if (/\d[kmbt]$/.test(label)) label = label.slice(0, -1) + label.slice(-1).toUpperCase();
  const size = /^\d+(\.\d+)?[KMBT]$/.test(label) ? Number(label.slice(0, -1)) * 1000 ** " KMBT".indexOf(label.slice(-1)) : undefined;
  const isLength = size !== undefined && numParameters > 0 && Math.abs(size - numParameters) > Math.floor((7 * numParameters) / 8);
  part.text = isLength ? label.slice(0, -1) + label.slice(-1).toLowerCase() : label;
  part.kinds.add(isLength ? "finetune" : "sizeLabel");
}

/** Where a size is a number, `mini` and `large` beside it are none. */
function keepNumberedSizes(parts: readonly Part[]): void {
  const sizes = parts.filter(({ kinds }) => kinds.has("sizeLabel"));
  if (!sizes.some(({ text }) => /\d/.test(text))) return;
  for (const { text, kinds } of sizes) if (!/\d/.test(text)) kinds.delete("sizeLabel");
}

/** What stands first is the base, but a version at its end is a version; what is left over is a fine-tune. */
function markBasename(parts: readonly Part[]): void {
  let atStart = true;
  for (const { text, kinds } of parts) {
    if (atStart && ((kinds.size === 0 && /^\p{L}/u.test(text)) || kinds.has("version"))) kinds.add("basename");
    else {
      atStart = false;
      if (kinds.size === 0) kinds.add("finetune");
    }
  }
  for (const { kinds } of parts.toReversed()) {
    if (!kinds.has("basename") || kinds.size === 1) break;
    kinds.delete("basename");
  }
}

/** A name as a title: hyphens become blanks, words in small letters a capital; versions and what begins with a digit stay. */
export function titleOf(name: string): string {
  const words = name.replaceAll("-", " ").split(/\s+/).filter(Boolean);
  return words.map((word) => (isLower(word) && !/^(v\d+(\.\d+)*|\d.*)$/.test(word) ? capitalised(word) : word)).join(" ");
}

function isLower(word: string): boolean {
  return word === word.toLowerCase() && word !== word.toUpperCase();
}

/** Every run of letters begins with a capital. */
function capitalised(word: string): string {
  return word.replace(/\p{L}+/gu, (letters) => letters[0]!.toUpperCase() + letters.slice(1));
}

/** A number of parameters in two digits: 1,777,088,000 is `1.8B`, 494,032,768 is `494M`. */
export function sizeLabelOf(numParameters: number): string {
  const [scale, unit]: [number, string] =
    numParameters > 1e12 ? [1e12, "T"] : numParameters > 1e9 ? [1e9, "B"] : numParameters > 1e6 ? [1e6, "M"] : [1e3, "K"];
  const scaled = numParameters / scale;
  const digits = Math.round(scaled) === 0 ? 0 : String(Math.round(scaled)).length;
  return `${scaled.toFixed(Math.max(2 - digits, 0))}${unit}`;
}
