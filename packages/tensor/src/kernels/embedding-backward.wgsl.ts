import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

/**
 * Chains the tokens that have one id: next[t] = the first later token with the id of t, or numTokens; isFirst[t] = 1 if no earlier token has it.
 * One thread per token.
 */
export type TokenChainsSpec = { workgroupSize: number };

export const tokenChainsKernel: Kernel<TokenChainsSpec, "ids" | "next" | "isFirst", "numTokens"> = defineKernel<TokenChainsSpec>()({
  name: "tokenChains",
  bindings: { ids: read("u32"), next: write("u32"), isFirst: write("u32") },
  params: { numTokens: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
  cost: ({ numTokens }) => ({ bytes: 12 * numTokens, flops: 0 }),
  grid: ({ numTokens }, { workgroupSize }) => oneThreadPer(numTokens, workgroupSize),
  examples: [{}],
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let token = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (token >= params.numTokens) { return; }
      let id = ids[token];
      var later = token + 1u;
      while (later < params.numTokens && ids[later] != id) { later++; }
      next[token] = later;
      var earlier = 0u;
      while (ids[earlier] != id) { earlier++; }
      isFirst[token] = select(0u, 1u, earlier == token);
    }`,
});

/** dTable[ids[t], col] = sum of dy[s, col] over the chain of t, for each first token t; other rows untouched.  One thread per element of dy. */
export type EmbeddingBackwardSpec = { workgroupSize: number };

export const embeddingBackwardKernel: Kernel<
  EmbeddingBackwardSpec,
  "ids" | "next" | "isFirst" | "dy" | "dTable",
  "numTokens" | "rowSize" | "numTableRows"
> = defineKernel<EmbeddingBackwardSpec>()({
  name: "embeddingBackward",
  bindings: { ids: read("u32"), next: read("u32"), isFirst: read("u32"), dy: read("f32"), dTable: write("f32") },
  params: { numTokens: "u32", rowSize: "u32", numTableRows: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
  cost: ({ numTokens, rowSize }) => ({ bytes: 8 * numTokens * rowSize, flops: numTokens * rowSize }),
  grid: ({ numTokens, rowSize }, { workgroupSize }) => oneThreadPer(numTokens * rowSize, workgroupSize),
  examples: [{}],
  wgsl: (spec) => wgsl`
      ${computeMain(spec)} {
        let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
        let token = i / params.rowSize;
        if (token >= params.numTokens || isFirst[token] == 0u || ids[token] >= params.numTableRows) { return; }
        let col = i % params.rowSize;
        var total = 0.0;
        for (var other = token; other < params.numTokens; other = next[other]) { total += dy[other * params.rowSize + col]; }
        dTable[ids[token] * params.rowSize + col] = total;
      }`,
});
