import { RanksError } from "@kto/core";
import type { MpiCollective } from "@kto/mpi";

/** The processes of one run, as one of them sees them. All make the same calls in the same order. */
export class Ranks {
  readonly collective: MpiCollective;
  /** The machine of each, by rank. */
  readonly hosts: readonly string[];

  constructor(collective: MpiCollective, hosts: readonly string[]) {
    this.collective = collective;
    this.hosts = hosts;
  }

  /** True for the one that logs, saves and downloads. */
  get isFirst(): boolean {
    return this.collective.rank === 0;
  }

  /** Machines, each once. */
  get machines(): readonly string[] {
    return [...new Set(this.hosts)];
  }

  /** `rank 1 of 4 (node7)`. */
  nameOf(rank: number): string {
    return `rank ${rank} of ${this.collective.size} (${this.hosts[rank]})`;
  }

  /**
   * Runs `body` on rank 0, then on the first rank of every other machine, then on the others: what the first ones fetch and compute is in caches then, of one
   * machine or of all.
   */
  async inTurn<Result>(body: () => Promise<Result>): Promise<Result> {
    const { rank } = this.collective;
    const turn = rank === 0 ? 0 : this.hosts.indexOf(this.hosts[rank]!) === rank ? 1 : 2;
    let result: { value: Result } | undefined;
    for (let now = 0; now < 3; now++) {
      if (now === turn) result = { value: await body() };
      await this.collective.gather([]); // the turn ends
    }
    return result!.value;
  }

  /** Throws RanksError, on every rank the same, where a fact is not on all ranks what it is on rank 0: it names each, with both values. */
  async expectSame(facts: Readonly<Record<string, string>>, advice: string): Promise<void> {
    const all = (await this.collective.gatherTexts(JSON.stringify(facts))).map((text) => JSON.parse(text) as Record<string, string>);
    const names = [...new Set(all.flatMap((facts) => Object.keys(facts)))];
    const differing = names.flatMap((name) => {
      const expected = all[0]![name] ?? "none";
      const others = all.flatMap((facts, rank) => ((facts[name] ?? "none") === expected ? [] : [rank]));
      return others.length === 0 ? [] : [{ name, expected, got: all[others[0]!]![name] ?? "none", others }];
    });
    if (differing.length === 0) return;
    const ranks = [...new Set(differing.flatMap(({ others }) => others))].sort((a, b) => a - b);
    const whose = ([first, ...more]: readonly number[]): string =>
      `on ${this.nameOf(first!)}${more.length > 0 ? ` and ${more.length} more` : ""}`;
    throw new RanksError(
      {
        operation: "train",
        problem: "the ranks were not started with the same run",
        expected: `${differing.map(({ name, expected }) => `${name} ${expected}`).join(", ")} as on rank 0 (${this.hosts[0]})`,
        got: differing.map(({ name, got, others }) => `${name} ${got} ${whose(others)}`).join(", "),
        advice,
      },
      { isUnlike: true, failures: ranks.map((rank) => ({ rank, text: "it was started with another run" })) },
    );
  }
}
