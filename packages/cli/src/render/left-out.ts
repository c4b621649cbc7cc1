import type { LeftOutFile } from "@kto/hub/node";
import type { Console } from "./console.js";

/** Names that are listed one by one; of more only the count says anything. */
const MOST = 5;

/** Says which files stay behind of a push: what may matter at once, the rest in a line when the push is done. */
export class LeftOutDisplay {
  readonly #console: Console;
  readonly #byReason = new Map<LeftOutFile["reason"], string[]>();

  constructor(console: Console) {
    this.#console = console;
  }

  /** An arrow function, to be handed over as `onLeftOut`. */
  readonly show = ({ path, reason }: LeftOutFile): void => {
    const paths = this.#byReason.get(reason) ?? [];
    paths.push(path);
    this.#byReason.set(reason, paths);
    if (paths.length > MOST) return;
    if (reason === "secret") this.#console.warn(`${path} stays behind: it is, or holds, a token or a key`);
    if (reason === "link") this.#console.warn(`${path} stays behind: a link that leads to no file of this folder`);
    if (reason === "special") this.#console.warn(`${path} stays behind: it is neither a file nor a folder`);
  };

  /** Says the rest. */
  finish(): void {
    for (const [reason, paths] of this.#byReason) {
      const more = paths.length - MOST;
      const names = `${paths.slice(0, MOST).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
      if (reason === "checkpoint") this.#console.note(`${names}: not pushed; --checkpoints pushes them too`);
      else if (reason === "work") this.#console.note(`${names}: not pushed (hidden, locks, temporary files)`);
      else if (more > 0) this.#console.warn(`${more} more stay behind for the same reason as ${paths[0]}`);
    }
  }
}
