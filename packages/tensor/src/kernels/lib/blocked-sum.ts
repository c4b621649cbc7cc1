import { wgsl } from "../wgsl.js";

/** What `blockedSum` adds up: `value`, an expression of the loop variable, for index = from, from + step, … below `to`. */
export interface BlockedSum {
  /** The variables to define, each with the expression it sums. */
  sums: Record<string, string>;
  index: string;
  from: string;
  to: string;
  step: string;
  /** Statements at the head of the loop body, for values that the expressions share. */
  before?: string;
}

const blockLength = 64;

/** Statements that define sums in blocks of 64 terms, so that the rounding error grows with n / 64 and not with n. */
export function blockedSum({ sums, index, from, to, step, before = "" }: BlockedSum): string {
  const names = Object.keys(sums);
  return wgsl`
    ${names.map((name) => `var ${name} = 0.0;`).join("\n")}
    for (var blockStart = ${from}; blockStart < ${to}; blockStart += ${blockLength}u * ${step}) {
      let blockEnd = min(${to}, blockStart + ${blockLength}u * ${step});
      ${names.map((name) => `var ${name}Block = 0.0;`).join("\n")}
      for (var ${index} = blockStart; ${index} < blockEnd; ${index} += ${step}) {
        ${before}
        ${names.map((name) => `${name}Block += ${sums[name]!};`).join("\n")}
      }
      ${names.map((name) => `${name} += ${name}Block;`).join("\n")}
    }`;
}
