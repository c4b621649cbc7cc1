import { readdir } from "node:fs/promises";
import { isKtoError, readText, SourceError } from "@kto/core";
import { fileDirectory } from "@kto/core/node";
import { filterFiles, hub, parseRepoId } from "@kto/hub";
import { hubEndpoint, hubToken, pushFolder, type PushOptions, type PushResult } from "@kto/hub/node";
import { isUntouchedCard } from "@kto/lora";
import { CORE_SCHEMA, load } from "js-yaml";
import { CURVE_FILE, modelCard, type CardFiles } from "../card/model-card.js";
import { isOnHub, readRunFacts, type RunFacts } from "../card/run-facts.js";
import { expandHome } from "../platform/node-places.js";

/** Options of {@link pushToHub}: those of a push, and what its card says. */
export interface PushToHubOptions extends PushOptions {
  /** An identifier of the hub, such as `"apache-2.0"`; default that of the base model, where the hub tells it. */
  license?: string | undefined;
  /** The model that this one was made from, where the files do not tell it. */
  baseModel?: string | undefined;
  /** The folder of the run that it came of, where that is another one: the card tells of it. */
  run?: string | undefined;
  /** Whether a model card is made where nobody wrote one; default true, but for data sets. `include` and `exclude` choose of its files too. */
  card?: boolean | undefined;
  /** Is told what became of the card, where it is not the one that was made, and what one should know of files that are made for the push. */
  onNote?(note: string): void;
}

const CARD = "README.md";
/** A card is no reason to wait. */
const CARD_RETRY = { count: 1, baseMs: 200 };

/**
 * Pushes the folder of an adapter, a model or GGUF files as one commit, with a model card made from what the run left in it: `resolved_config.yaml`,
 * `trainer_state.json`, `train_results.json`. A card that somebody wrote or changed, in the folder or on the hub, stays. Nothing is written to the folder.
 *
 * @throws HubError as `pushFolder` of `@kto/hub`; the signal's reason
 */
export async function pushToHub(folder: string, options: PushToHubOptions): Promise<PushResult> {
  const { license: _, baseModel: __, run: ___, card = options.repoType !== "dataset", onNote: ____, ...push } = options;
  const place = expandHome(folder);
  const made = card ? await cardOf(place, options) : {};
  const exclude = made === undefined ? [...(push.exclude ?? []), CARD] : push.exclude;
  const wanted = filterFiles(Object.keys(made ?? {}).map((path) => ({ path })), push.include, push.exclude); // prettier-ignore
  const files = Object.fromEntries(wanted.map(({ path }) => [path, made![path]!]));
  return pushFolder(place, { ...push, ...(exclude && { exclude }), files: { ...files, ...push.files } });
}

/** The card for a folder; none where it has one of its own, undefined where the one on the hub is to stay and that of the folder is not to be sent. */
async function cardOf(folder: string, options: PushToHubOptions): Promise<CardFiles | undefined> {
  const { repo } = parseRepoId(options.repo);
  const directory = fileDirectory(folder);
  const names = await readdir(folder).catch((): string[] => []); // what is wrong with the folder the push says
  if (names.length === 0) return {};
  const own = names.includes(CARD) ? await readText(directory, CARD) : undefined;
  if (own !== undefined && !isUntouchedCard(own)) return {};
  const { revision: named = "main" } = parseRepoId(options.repo);
  const isOther = (options.revision ?? named) !== "main"; // a branch that is yet to be made begins with what main has
  const there = (await readCard(options.repo, options)) ?? (isOther ? await readCard(repo, { ...options, revision: "main" }) : undefined);
  options.signal?.throwIfAborted();
  if (there !== undefined && !isUntouchedCard(there)) {
    options.onNote?.(`${CARD} of ${repo} was written or changed by hand and stays as it is`);
    return undefined;
  }
  const facts = await factsOf(folder, names, options.run);
  const base = facts.base ?? options.baseModel;
  const license = options.license ?? (isOnHub(base) ? await licenseOf(base, options) : undefined);
  const card = modelCard(facts, { repo, license, baseModel: options.baseModel });
  if (!names.includes(CURVE_FILE)) return card;
  return { [CARD]: card[CARD]! };
}

/** What the files tell, those of the run that they came of before their own. */
async function factsOf(folder: string, names: readonly string[], run: string | undefined): Promise<RunFacts> {
  const own = await readRunFacts(fileDirectory(folder), names);
  if (run === undefined) return own;
  const place = expandHome(run);
  const runNames = await readdir(place).catch((cause: NodeJS.ErrnoException) => {
    throw new SourceError(`push: ${place} cannot be read; expected the folder of a run, got ${cause.code}; check the path`, { source: place, ...(cause.code !== undefined && { reason: cause.code }), cause }); // prettier-ignore
  });
  return { ...(await readRunFacts(fileDirectory(place), runNames)), kind: own.kind, ggufs: own.ggufs };
}

/** The licence of a model of the hub as its card says it; undefined where it does not, or cannot be asked. */
async function licenseOf(id: string, { revision: _, ...access }: PushToHubOptions): Promise<string | undefined> {
  const card = await readCard(id, { ...access, repoType: "model" });
  const header = /^---\r?\n([\s\S]*?)\r?\n---/.exec(card ?? "")?.[1];
  try {
    const { license } = (header === undefined ? {} : (load(header, { schema: CORE_SCHEMA }) ?? {})) as { license?: unknown };
    return typeof license === "string" && /^[\w.-]{1,64}$/.test(license) ? license : undefined;
  } catch {
    return undefined; // not YAML: then it says nothing
  }
}

/** The card of a repository; undefined where there is none, or the hub does not answer, which the push tells of. */
async function readCard(id: string, access: PushToHubOptions): Promise<string | undefined> {
  const { repoType, revision, signal, fetch } = access;
  const options = { repoType, revision, signal, fetch, endpoint: access.endpoint ?? hubEndpoint(), token: access.token ?? hubToken() ?? false, retry: CARD_RETRY } as const; // prettier-ignore
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  try {
    return await readText(hub(id, given), CARD);
  } catch (error) {
    if (isKtoError(error)) return undefined;
    throw error;
  }
}
