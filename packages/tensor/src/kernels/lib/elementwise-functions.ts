import { wgsl } from "../wgsl.js";

/*
 * Comparisons are written so that a NaN stays one, and so that a finite argument gives a finite result: a compiler may assume away infinities and NaN.
 */

/** Least normal f32. */
const least = 1.1754944e-38;

/** Largest x of which e^x is computed. */
const mostExponent = 88.5;

/** Functions of two values, as the body of a WGSL function of `a` and `b`. */
export const binaryFunctions: Readonly<Record<BinaryFunction, string>> = {
  add: "return a + b;",
  sub: "return a - b;",
  mul: "return a * b;",
  div: `
      let least = Float(${least});
      let most = Float(3e38);
      let quotient = a / select(b, least, abs(b) < least);
      return select(select(quotient, most, quotient > most), -most, quotient < -most);
   `,
};

export type BinaryFunction = "add" | "sub" | "mul" | "div";

/** A function of one value x and of parameters p and q, with its derivative, given what it saves: x, its result y, or nothing. */
interface UnaryText {
  value: string;
  saves: "x" | "y" | "none";
  derivative: string;
  /** Functions that it calls. */
  calls?: string;
}

/** From the bits: exp and log of a NaN are numbers on some devices. */
const isNan = wgsl`fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }`;

/** log(1 + u), u from −½ to 1: 2 · atanh(u / (2 + u)) as a series, which f32 holds; the logarithm of a rounded 1 + u loses the digits of a small u. */
const logOnePlus = wgsl`
  fn logOnePlus(u: f32) -> f32 {
    let s = u / (2.0 + u);
    let q = s * s;
    return 2.0 * s * (1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q * (1.0 / 11.0 + q / 13.0))))));
  }`;

/** 1 − e^(−u), u above 0: its series where the difference would lose digits. */
const oneMinusExp = wgsl`
  fn oneMinusExp(u: f32) -> f32 {
    let low = 1.0 - u / 6.0 * (1.0 - u / 7.0 * (1.0 - u / 8.0 * (1.0 - u / 9.0 * (1.0 - u / 10.0))));
    let series = u * (1.0 - u / 2.0 * (1.0 - u / 3.0 * (1.0 - u / 4.0 * (1.0 - u / 5.0 * low))));
    return select(1.0 - exp(-u), series, u < 0.6931472);
  }`;

/** Functions of one value, by name. */
export const unaryFunctions: Readonly<Record<UnaryFunction, UnaryText>> = {
  scale: { value: "x * p", saves: "none", derivative: "p" },
  shift: { value: "x + p", saves: "none", derivative: "1.0" },
  sigmoid: { value: "select(exp(-abs(x)), 1.0, x >= 0.0) / (1.0 + exp(-abs(x)))", saves: "y", derivative: "y * (1.0 - y)" },
  maximum: { value: "select(x, p, x < p)", saves: "x", derivative: "select(0.0, 1.0, x > p)" },
  log: {
    value: `select(log(select(x, ${least}, x < ${least})), x, isNan(x))`,
    saves: "x",
    calls: isNan,
    derivative: `select(1.0, 0.0, x < ${least}) / select(x, 1.0, x < ${least})`,
  },
  exp: {
    value: "power(x)",
    saves: "x",
    derivative: `select(power(x), 0.0, x > ${mostExponent})`,
    calls: wgsl`
      ${isNan}
      fn power(x: f32) -> f32 { return select(exp(select(x, ${mostExponent}, x > ${mostExponent})), x, isNan(x)); }`,
  },
  logSigmoid: {
    value: "select(0.0, x, x < 0.0) - logOnePlus(exp(-abs(x)))",
    saves: "x",
    derivative: "select(exp(-abs(x)), 1.0, x < 0.0) / (1.0 + exp(-abs(x)))",
    calls: logOnePlus,
  },
  logOneMinusExp: {
    value: "logOneMinusExp(x)",
    saves: "x",
    derivative: `select(-exp(x) / oneMinusExp(max(-x, ${least})), 0.0, -x < ${least})`,
    // Above −ln 2 the logarithm of a difference that keeps its digits, below it that of 1 less something small. No divisor is 0.
    calls: wgsl`
      ${logOnePlus}
      ${oneMinusExp}
      fn logOneMinusExp(x: f32) -> f32 {
        let u = select(-x, ${least}, -x < ${least});
        return select(logOnePlus(-exp(-u)), log(oneMinusExp(u)), u < 0.6931472);
      }`,
  },
  clamp: { value: "select(select(x, p, x < p), q, x > q)", saves: "x", derivative: "select(0.0, 1.0, x >= p && x <= q)" },
};

export type UnaryFunction = "scale" | "shift" | "sigmoid" | "maximum" | "log" | "exp" | "logSigmoid" | "logOneMinusExp" | "clamp";
