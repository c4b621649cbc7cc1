/** What the demo is asked for. */
export interface DemoArguments {
  /** Whether only the usage is wanted. */
  help: boolean;
  /** Flags that the demo cannot use, as they were given. */
  refused: string[];
  /** `--device`, which the measurements heed as the command does. */
  device: string | undefined;
  /** `--output_dir`, whose adapter is measured. */
  outputDir: string | undefined;
  /** Whether a run is to go on from a checkpoint, so that `kto.yaml` may not overwrite it. */
  resumes: boolean;
  /** Everything, for `kto train`. */
  flags: string[];
  /** How the user runs the same again, but for `--resume_from_checkpoint`. */
  again: string;
}

/** The demo's measurements are of its own model and sums, and it prints for people. */
const notTheDemos: ReadonlySet<string> = new Set(
  "model model_name_or_path model_revision data train_file dataset_name config json".split(" "),
);

export const usage: string = [
  "usage: npm run demo -- [--device auto|gpu|software] [--field value …]",
  "Measures a tiny model, trains it with kto train and measures it again; goes to examples/quickstart/out.",
  "Fields are those of kto train (npm run kto -- train --help) over kto.yaml: --beta 0.5, --max_steps 16, --resume_from_checkpoint true.",
].join("\n");

/** Reads the demo's arguments. Whether the command takes the flags is the command's to say. */
export function readArguments(argv: readonly string[]): DemoArguments {
  const flags = argv.filter((word) => word !== "--");
  const read: DemoArguments = { help: false, refused: [], device: undefined, outputDir: undefined, resumes: false, flags, again: "" };
  const kept: string[] = [];
  for (let next = 0; next < flags.length;) {
    const start = next;
    const [flag, inline] = splitFlag(flags[next++]!);
    if (flag === undefined) {
      if (flags[start] === "-h") read.help = true;
      kept.push(flags[start]!);
      continue;
    }
    if (inline === undefined && next < flags.length && !flags[next]!.startsWith("--")) next++;
    const value = inline ?? flags.slice(start + 1, next)[0];
    if (flag === "help") read.help = true;
    else if (notTheDemos.has(flag)) read.refused.push(flags[start]!);
    else if (flag === "device") read.device = value;
    else if (flag === "output_dir") read.outputDir = value;
    if (flag === "resume_from_checkpoint") read.resumes = value !== "false" && value !== "null";
    else kept.push(...flags.slice(start, next));
  }
  return { ...read, again: ["npm run demo --", ...kept.map(shellWord)].join(" ") };
}

/** The name of a flag and what stands after its `=`; no name for another word. */
function splitFlag(word: string): [name: string | undefined, inline: string | undefined] {
  if (!word.startsWith("--")) return [undefined, undefined];
  const equals = word.indexOf("=");
  const name = (equals < 0 ? word.slice(2) : word.slice(2, equals)).replaceAll("-", "_");
  return [name, equals < 0 ? undefined : word.slice(equals + 1)];
}

/** A word as it is written in a shell. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
