import { metricsOf } from "../run/json-lines.js";
import { newestCheckpoint, readFacts, type FactsOptions, type RunFacts } from "../run/read-facts.js";
import { configFile, inOrder, metricsFile, resultsFile, type RunFolder, samplesFile, stateFile, summaryFile } from "../run/run-folder.js";
import type { Metrics, Run } from "../run/run.js";
import { FollowedLines } from "./followed-lines.js";

const smallFiles = [configFile, resultsFile, summaryFile, samplesFile];

/** A run whose files are looked at again and again: of its log only what is new is read, the other files where their lengths have changed. */
export class FollowedRun {
  readonly #folder: RunFolder;
  readonly #options: FactsOptions;
  readonly #log: FollowedLines;
  #records: Metrics[] = [];
  #facts: RunFacts = { isFinished: false, evaluations: [], config: [], samples: [], problems: [] };
  #key = "";
  #problems: string[] = [];
  /** The log ends with a line that is being written, or that nobody will finish. */
  hasRest = false;
  /** Goes up where rows that were read before do not hold any more, or stand in another order. */
  numRewrites = 0;
  /** Goes up where something else than rows has changed. */
  numChanges = 0;

  constructor(folder: RunFolder, options: FactsOptions = {}) {
    this.#folder = folder;
    this.#options = options;
    this.#log = new FollowedLines(folder, metricsFile);
  }

  /** The run as it was when it was looked at last; a line that was left unfinished is told of where nobody will finish it. */
  run(name: string, { isOver }: { isOver: boolean }): Run {
    const cut = this.hasRest && isOver ? [`${metricsFile}: the last line is cut off and was left out`] : [];
    const problems = [...this.#problems, ...cut, ...this.#facts.problems];
    return { ...this.#facts, name, evaluations: this.evaluations, records: this.#records, problems };
  }

  /** Rows of the log, in the order of their steps. */
  get records(): readonly Metrics[] {
    return this.#records;
  }

  get evaluations(): readonly Metrics[] {
    return this.#options.evaluations?.() ?? this.#facts.evaluations;
  }

  get config(): Run["config"] {
    return this.#facts.config;
  }

  get results(): Run["results"] {
    return this.#facts.results;
  }

  /** Looks at the files. */
  async refresh(): Promise<void> {
    for (let isMore = true; isMore;) isMore = await this.#readRows();
    const key = await this.#lengths();
    if (key === this.#key) return;
    const before = this.#facts.evaluations;
    this.#facts = await readFacts(this.#folder, this.#options);
    this.#key = key;
    this.numChanges++;
    const { evaluations: now } = this.#facts;
    const goesOn = before.every(
      (record, index) => record["step"] === now[index]?.["step"] && record["eval_loss"] === now[index]?.["eval_loss"],
    );
    if (!goesOn) this.numRewrites++;
  }

  async #readRows(): Promise<boolean> {
    const { isAnew, values, problems, hasRest } = await this.#log.read();
    if (isAnew) {
      [this.#records, this.#problems, this.#key] = [[], [], ""];
      this.numRewrites++;
    }
    if (problems.length > 0) this.numChanges++;
    this.#problems.push(...problems);
    this.hasRest = hasRest;
    const rows = inOrder(values.map(metricsOf));
    const [last, first] = [this.#records.at(-1)?.["step"] ?? -Infinity, rows[0]?.["step"] ?? Infinity];
    if (first > last) for (const row of rows) this.#records.push(row);
    else {
      this.#records = inOrder([...this.#records, ...rows]);
      this.numRewrites++;
    }
    return isAnew || values.length > 0;
  }

  /** The lengths of the other files, and which checkpoint is the newest: whether there is anything to read again. */
  async #lengths(): Promise<string> {
    const names = (await this.#folder.list()).map(({ name }) => name);
    const checkpoint = newestCheckpoint(names);
    const states = this.#options.evaluations ? [] : [stateFile, ...(checkpoint === undefined ? [] : [`${checkpoint}/${stateFile}`])];
    const lengths = [...smallFiles, ...states].map(async (file) => {
      const source = names.includes(file.split("/")[0]!) ? await this.#folder.open(file) : undefined;
      await source?.dispose?.();
      return `${file} ${source?.byteLength}`;
    });
    return (await Promise.all(lengths)).join();
  }
}
