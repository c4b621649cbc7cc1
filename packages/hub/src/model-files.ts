import { HubError } from "./errors.js";
import { matchesGlob } from "./glob.js";
import type { RepoFile } from "./source.js";

/** Patterns for {@link filterFiles} of what loading a model can need: configuration, safetensors, tokenizer, templates, licence. No pickle files, no other formats. */
export const modelFilePatterns: readonly string[] = [
  "*.json",
  "*.safetensors",
  "*.jinja",
  "tokenizer.model",
  "*.tiktoken",
  "merges.txt",
  "vocab.txt",
  "LICENSE*",
  "NOTICE*",
  "README.md",
];

/** Files that unpickle to whatever their author wrote, code included. They are never loaded. */
const PICKLES: readonly string[] = ["*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle"];
/** These end in `.bin` too, but are for training runs and not weights. */
const NOT_WEIGHTS: readonly string[] = ["*training_args.bin", "*optimizer.*", "*scheduler.*", "*rng_state*"];

/** Weights that are pickle files. */
export function pickleFiles(files: readonly RepoFile[]): RepoFile[] {
  return files.filter(
    ({ path }) => PICKLES.some((pattern) => matchesGlob(path, pattern)) && !NOT_WEIGHTS.some((pattern) => matchesGlob(path, pattern)),
  );
}

/**
 * Does nothing when a model repository has safetensors, or no weights at all.
 *
 * @throws HubError (`"pickle"`) when its weights are there only as pickle files
 */
export function expectSafetensors(repo: string, files: readonly RepoFile[]): void {
  const pickles = pickleFiles(files);
  if (pickles.length === 0 || files.some(({ path }) => path.endsWith(".safetensors"))) return;
  const names = pickles.slice(0, 3).map(({ path }) => path);
  const more = pickles.length > names.length ? `, and ${pickles.length - names.length} more` : "";
  throw new HubError(
    `hub: ${repo} holds only pickle weights (${names.join(", ")}${more}); expected *.safetensors, since a pickle file can run any code; convert it with safetensors in Python, or look at ${repo}'s discussions for a converted revision (often refs/pr/1)`,
    { reason: "pickle", repo, file: pickles[0]!.path },
  );
}
