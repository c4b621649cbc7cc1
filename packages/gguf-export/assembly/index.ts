import { areUsable, DONE, forgetInfiniteScale, hasInfiniteScale, sumSquares, UNUSABLE } from "./arithmetic";
import { fitAsymmetric } from "./asymmetric-fit";
import { toBfloat16, toFloat16 } from "./halves";
import { fitTable, iq4nl, iq4xs } from "./iq4";
import { importanceWeights, loadLanes, squaresAsWeights, VALUES } from "./lanes";
import { asymmetricBlock, asymmetricFitted, q8_0, symmetricBlock, symmetricFitted } from "./nibble-blocks";
import { q2k } from "./q2-k";
import { q3k } from "./q3-k";
import { q4k_q5k } from "./q4-q5-k";
import { q6k } from "./q6-k";
import { SCALES } from "./super-block";
import { fitSymmetric } from "./symmetric-fit";

// ggml's numbers of the types.
const F16 = 1;
const Q4_0 = 2;
const Q4_1 = 3;
const Q5_0 = 6;
const Q5_1 = 7;
const Q8_0 = 8;
const Q2_K = 10;
const Q3_K = 11;
const Q4_K = 12;
const Q5_K = 13;
const Q6_K = 14;
const IQ4_NL = 20;
const IQ4_XS = 23;
const BF16 = 30;

/** Room for `bytes` bytes from the place returned, which is a multiple of 16. */
export function reserve(bytes: usize): usize {
  const start: usize = (__heap_base + 15) & ~15;
  const pages = <i32>((start + bytes + 0xffff) >>> 16) - memory.size();
  if (pages > 0 && memory.grow(pages) < 0) return 0;
  return start;
}

/**
 * Blocks of a type from f32 values.
 *
 * @param columns  importance of the columns of a row, or 0; values are whole rows then
 * @param rowSize  values of a row
 * @returns        −1, −2 where a value is not finite or beyond 2^30, or the number of the first block whose scale is not finite
 */
export function quantizeBlocks(type: i32, x: usize, count: i32, columns: usize, rowSize: i32, out: usize): i32 {
  if (type == F16) return toFloat16(x, count, out);
  if (type == BF16) return toBfloat16(x, count, out);
  if (!areUsable(x, count)) return UNUSABLE;
  forgetInfiniteScale();
  if (type < Q2_K || type == IQ4_NL)
    return type == IQ4_NL || (columns && type != Q8_0) ? byFours(type, x, count, columns, rowSize, out) : smallBlocks(type, x, count, out);
  return superBlocks(type, x, count, columns, rowSize, out);
}

function bytesOf(type: i32): usize {
  switch (type) {
    case Q4_0:
      return 18;
    case Q4_1:
      return 20;
    case Q5_0:
      return 22;
    case Q5_1:
      return 24;
    case Q8_0:
      return 34;
    case Q2_K:
      return 84;
    case Q3_K:
      return 110;
    case Q4_K:
      return 144;
    case Q5_K:
      return 176;
    case Q6_K:
      return 210;
    case IQ4_NL:
      return 18;
    default:
      return 136;
  }
}

function superBlocks(type: i32, x: usize, count: i32, columns: usize, rowSize: i32, out: usize): i32 {
  const bytes = bytesOf(type);
  for (let at = 0; at < count; at += 256) {
    const values = x + 4 * at;
    const importance = columns ? columns + 4 * (at % rowSize) : 0;
    switch (type) {
      case Q2_K:
        q2k(values, importance, out);
        break;
      case Q3_K:
        q3k(values, importance, out);
        break;
      case Q4_K:
        q4k_q5k(values, importance, out, 15);
        break;
      case Q5_K:
        q4k_q5k(values, importance, out, 31);
        break;
      case Q6_K:
        q6k(values, importance, out);
        break;
      default:
        iq4xs(values, importance, out);
    }
    if (hasInfiniteScale) return at / 256;
    out += bytes;
  }
  return DONE;
}

/** Types of 32 values whose blocks need no fit. */
function smallBlocks(type: i32, x: usize, count: i32, out: usize): i32 {
  const bytes = bytesOf(type);
  for (let at = 0; at < count; at += 32) {
    const values = x + 4 * at;
    switch (type) {
      case Q8_0:
        q8_0(values, out);
        break;
      case Q4_0:
        symmetricBlock(values, out, 8);
        break;
      case Q5_0:
        symmetricBlock(values, out, 16);
        break;
      case Q4_1:
        asymmetricBlock(values, out, 15);
        break;
      default:
        asymmetricBlock(values, out, 31);
    }
    if (hasInfiniteScale) return at / 32;
    out += bytes;
  }
  return DONE;
}

/** Values of the four blocks, the importance of their columns, and the mean squares that weigh it: of their rows, for IQ4_NL twice that of each block. */
const BLOCKS: usize = memory.data(16, 16);
const COLUMNS: usize = memory.data(16, 16);
const SQUARES: usize = memory.data(16, 16);

/** Types of 32 values whose blocks are fitted, four at a time; the last is fitted again where fewer are left. */
function byFours(type: i32, x: usize, count: i32, columns: usize, rowSize: i32, out: usize): i32 {
  const bytes = bytesOf(type);
  let square: f32 = 0;
  for (let at = 0; at < count; at += 128) {
    for (let lane = 0; lane < 4; lane++) {
      const place = min(at + 32 * lane, count - 32);
      store<usize>(BLOCKS + 4 * lane, x + 4 * place);
      if (!columns) continue;
      if (type == IQ4_NL) square = (2 * sumSquares(x + 4 * place, 32)) / 32;
      else if (at + 32 * lane < count && place % rowSize == 0) square = sumSquares(x + 4 * place, rowSize) / <f32>rowSize;
      store<usize>(COLUMNS + 4 * lane, columns + 4 * (place % rowSize));
      store<f32>(SQUARES + 4 * lane, square);
    }
    loadLanes(VALUES, load<usize>(BLOCKS), load<usize>(BLOCKS + 4), load<usize>(BLOCKS + 8), load<usize>(BLOCKS + 12), 32);
    if (columns) {
      importanceWeights(
        load<usize>(COLUMNS),
        load<usize>(COLUMNS + 4),
        load<usize>(COLUMNS + 8),
        load<usize>(COLUMNS + 12),
        v128.load(SQUARES),
        32,
      );
    } else squaresAsWeights(32);
    fitFour(type);
    for (let lane = 0; lane < 4 && at + 32 * lane < count; lane++) {
      storeFitted(type, load<usize>(BLOCKS + 4 * lane), out, lane);
      if (hasInfiniteScale) return at / 32 + lane;
      out += bytes;
    }
  }
  return DONE;
}

function fitFour(type: i32): void {
  switch (type) {
    case Q4_0:
      fitSymmetric(32, 8);
      break;
    case Q5_0:
      fitSymmetric(32, 16);
      break;
    case Q4_1:
      fitAsymmetric(32, 15, -0.9, 0.05, 36, false);
      break;
    case Q5_1:
      fitAsymmetric(32, 31, -0.9, 0.05, 36, false);
      break;
    default:
      v128.store(SCALES, fitTable());
  }
}

function storeFitted(type: i32, x: usize, out: usize, lane: i32): void {
  switch (type) {
    case Q4_0:
      symmetricFitted(x, out, 8, lane);
      break;
    case Q5_0:
      symmetricFitted(x, out, 16, lane);
      break;
    case Q4_1:
      asymmetricFitted(x, out, 15, lane);
      break;
    case Q5_1:
      asymmetricFitted(x, out, 31, lane);
      break;
    default:
      iq4nl(x, load<f32>(SCALES + 4 * lane), out);
  }
}
