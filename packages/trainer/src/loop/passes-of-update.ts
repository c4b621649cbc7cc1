import type { SourceRow } from "../data/rows.js";
import { longestRowOf, passSize, type PassLayout } from "../memory/passes.js";
import type { Collective } from "./collective.js";
import type { Method, MethodContext } from "./method.js";
import type { TrainingConfig } from "./training-config.js";

/** A method, and the model that its passes go through. */
interface MethodOnModel<Row extends SourceRow> {
  method: Method<Row>;
  context: Pick<MethodContext, "model">;
}

/**
 * How many micro-batches of an update may go through the model together: one where the method puts none together, where each draws dropout of its own, and where
 * other ranks have to be heard between the statistics of a micro-batch and its loss.
 */
export function mostPerPass<Row extends SourceRow>(
  { recordTogether, statistics }: Method<Row>,
  args: Pick<TrainingConfig, "disableDropout" | "gradientAccumulationSteps">,
  { size }: Pick<Collective, "size">,
): number {
  if (!recordTogether || !args.disableDropout || (statistics && size > 1)) return 1;
  return args.gradientAccumulationSteps;
}

/** The micro-batches of an update in their order, those that go through together under a layout in one group. */
export function groupsOfUpdate<Row extends SourceRow>(
  run: MethodOnModel<Row>,
  microBatches: readonly (readonly Row[])[],
  { microBatchesPerPass = 1, tokensTogether = Infinity }: Pick<PassLayout, "microBatchesPerPass" | "tokensTogether">,
): (readonly Row[])[][] {
  if (microBatchesPerPass === 1) return microBatches.map((rows) => [rows]);
  const groups: (readonly Row[])[][] = [];
  let kindOfLast: string | undefined;
  let room = 0;
  for (const rows of microBatches) {
    const kind = kindOf(run, rows);
    const { numTokens } = passSize(run.method.passes(rows)[0]);
    const last = groups.at(-1);
    if (last && kind !== undefined && kind === kindOfLast && last.length < microBatchesPerPass && numTokens <= room) last.push(rows);
    else {
      groups.push([rows]);
      room = tokensTogether;
    }
    room -= numTokens;
    kindOfLast = kind;
  }
  return groups;
}

/** What micro-batches have in common that go through together: how positions are turned, which may depend on the longest row. Undefined for one that needs passes of its own. */
function kindOf<Row extends SourceRow>({ method, context: { model } }: MethodOnModel<Row>, rows: readonly Row[]): string | undefined {
  if (method.alongside && !method.alongside(model.base, rows)) return undefined;
  return String(model.base.frequenciesName?.(longestRowOf(method.passes(rows).flat())));
}
