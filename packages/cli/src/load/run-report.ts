import { describeError, isKtoError, type Store } from "@kto/core";
import { evaluationsOf, readRun, reportHtml } from "@kto/report";
import { defaultOf } from "../config/field-defaults.js";
import { fieldName } from "../errors.js";

/** The file, beside the others of a run. */
export const reportFile = "report.html";

/** Least milliseconds between two writes while a run goes on; and the least share of the time that is not spent on them. */
const pauseMs = 10_000;
const idleShare = 50;

/** What a report is kept up to date with. */
export interface RunReportOptions {
  /** The log so far, evaluations in it, which the files have only at the end. */
  history: () => readonly object[];
  onWarning(text: string): void;
}

/** `report.html` of a run: there from the first log on, made anew now and then, and at the end. That it cannot be written is a warning, and stops nothing. */
export class RunReport {
  readonly #store: Store;
  readonly #options: RunReportOptions;
  #nextAt = 0;
  #hasFailed = false;

  constructor(store: Store, options: RunReportOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** Writes it if some time has gone by since it was written. */
  async keepUp(): Promise<void> {
    if (performance.now() >= this.#nextAt) await this.write();
  }

  /** Writes it from the files of the run. */
  async write(): Promise<void> {
    if (this.#hasFailed) return;
    const started = performance.now();
    const { history, onWarning } = this.#options;
    try {
      const run = await readRun(this.#store, { defaultOf });
      await this.#store.write(reportFile, await reportHtml([{ ...run, evaluations: evaluationsOf(history()) }]));
    } catch (error) {
      if (!isKtoError(error)) throw error;
      this.#hasFailed = true;
      onWarning(`${reportFile} is not written: ${describeError(error, fieldName)}`);
    }
    const now = performance.now();
    this.#nextAt = now + Math.max(pauseMs, idleShare * (now - started));
  }
}
