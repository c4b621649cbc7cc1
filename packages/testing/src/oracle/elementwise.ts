import {
  add,
  cast,
  clamp,
  div,
  exp,
  log,
  logOneMinusExp,
  logSigmoid,
  maximum,
  mean,
  mul,
  scale,
  shift,
  sigmoid,
  sub,
  sum,
  sumLast,
  view,
  where,
  sizeOf,
  type Dtype,
  type FloatDtype,
  type Shape,
  type Tensor,
} from "@kto/tensor";
import { Numbers, roundTo, type Arrays, type OracleCase, type OpInput } from "../check/case.js";

/** Functions of two numbers with their derivatives by each. */
const binaries = {
  add: { op: add, value: (a: number, b: number) => a + b, da: () => 1, db: () => 1 },
  sub: { op: sub, value: (a: number, b: number) => a - b, da: () => 1, db: () => -1 },
  mul: { op: mul, value: (a: number, b: number) => a * b, da: (_a: number, b: number) => b, db: (a: number) => a },
  div: {
    op: div,
    value: (a: number, b: number) => a / b,
    da: (_a: number, b: number) => 1 / b,
    db: (a: number, b: number) => -a / (b * b),
  },
};

/** The same numbers, moved away from 0: at least `least` in size. */
function awayFromZero(input: OpInput, least: number): OpInput {
  const { dtype } = input;
  return { ...input, data: input.data.map((value) => roundTo(dtype as FloatDtype, value + (value < 0 ? -least : least))) };
}

/** An operand shorter than the result is repeated; its gradient is the sum over the repetitions. */
function binaryCase(fn: keyof typeof binaries, aShape: Shape, bShape: Shape, dtype: FloatDtype = "f32"): OracleCase {
  const { op, value, da, db } = binaries[fn];
  const numbers = new Numbers(aShape.length + bShape.length);
  const over = (inputs: Arrays, use: (i: number, a: number, b: number) => void): void => {
    const [a, b] = [inputs["a"]!, inputs["b"]!];
    for (let i = 0; i < Math.max(a.length, b.length); i++) use(i, a[i % a.length]!, b[i % b.length]!);
  };
  return {
    name: `${fn} [${aShape.join(", ")}] and [${bShape.join(", ")}] ${dtype}`,
    inputs: { a: numbers.input(aShape), b: fn === "div" ? awayFromZero(numbers.input(bShape), 0.5) : numbers.input(bShape) },
    forward(inputs) {
      const y = new Float64Array(Math.max(inputs["a"]!.length, inputs["b"]!.length));
      over(inputs, (i, a, b) => (y[i] = value(a, b)));
      return { y };
    },
    vjp(inputs, dy) {
      const [dA, dB] = [new Float64Array(inputs["a"]!.length), new Float64Array(inputs["b"]!.length)];
      over(inputs, (i, a, b) => {
        dA[i % dA.length]! += dy[i]! * da(a, b);
        dB[i % dB.length]! += dy[i]! * db(a, b);
      });
      return { a: dA, b: dB };
    },
    run: ({ a, b }) => ({ y: op(a!, b!, { dtype }) }),
    errorClass: "elementwise",
    storage: dtype,
  };
}

/** a where the condition is not 0, else b; each repeats. */
function whereCase(conditionShape: Shape, aShape: Shape, bShape: Shape, conditionType: Dtype, dtype: FloatDtype = "f32"): OracleCase {
  const numbers = new Numbers(conditionShape.length + aShape.length + 2 * bShape.length);
  const condition = numbers.ids(sizeOf(conditionShape), 2);
  const chosen = ({ condition: mask }: Arrays, i: number): boolean => mask![i % mask!.length] !== 0;
  return {
    name: `where ${conditionType} [${conditionShape.join(", ")}], [${aShape.join(", ")}] or [${bShape.join(", ")}] ${dtype}`,
    inputs: {
      condition: { ...condition, shape: conditionShape, dtype: conditionType },
      a: numbers.input(aShape),
      b: numbers.input(bShape),
    },
    forward(inputs) {
      const { a, b } = inputs;
      const size = Math.max(...Object.values(inputs).map(({ length }) => length));
      return { y: Float64Array.from({ length: size }, (_, i) => (chosen(inputs, i) ? a![i % a!.length]! : b![i % b!.length]!)) };
    },
    vjp(inputs, dy) {
      const [da, db] = [new Float64Array(inputs["a"]!.length), new Float64Array(inputs["b"]!.length)];
      dy.forEach((gradient, i) => {
        const target = chosen(inputs, i) ? da : db;
        target[i % target.length]! += gradient;
      });
      return { a: da, b: db };
    },
    run: ({ condition: mask, a, b }) => ({ y: where(mask!, a!, b!, { dtype }) }),
    errorClass: "elementwise",
    storage: dtype,
  };
}

interface Unary {
  op: (x: Tensor) => Tensor;
  value: (x: number) => number;
  derivative: (x: number) => number;
}

const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

const unaries: Record<string, Unary> = {
  "scale by −2.5": { op: (x) => scale(x, -2.5), value: (x) => -2.5 * x, derivative: () => -2.5 },
  "shift by 0.75": { op: (x) => shift(x, 0.75), value: (x) => x + 0.75, derivative: () => 1 },
  sigmoid: { op: sigmoid, value: logistic, derivative: (x) => logistic(x) * logistic(-x) },
  "maximum with 0.25": { op: (x) => maximum(x, 0.25), value: (x) => Math.max(x, 0.25), derivative: (x) => (x > 0.25 ? 1 : 0) },
  exp: { op: exp, value: Math.exp, derivative: Math.exp },
  logSigmoid: {
    op: logSigmoid,
    value: (x) => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x))),
    derivative: (x) => logistic(-x),
  },
  "clamp to −0.5 … 0.75": {
    op: (x) => clamp(x, -0.5, 0.75),
    value: (x) => Math.min(Math.max(x, -0.5), 0.75),
    derivative: (x) => (x >= -0.5 && x <= 0.75 ? 1 : 0),
  },
  view: { op: (x) => view(x, [1, x.size]), value: (x) => x, derivative: () => 1 },
};

function unaryCase(name: string, size: number, spread = 1): OracleCase {
  const { op, value, derivative } = unaries[name]!;
  return {
    name: `${name}, ${size} elements`,
    inputs: { x: new Numbers(size).input([size], { scale: spread }) },
    forward: ({ x }) => ({ y: x!.map(value) }),
    vjp: ({ x }, dy) => ({ x: x!.map((value_, i) => dy[i]! * derivative(value_)) }),
    run: ({ x }) => ({ y: op(x!) }),
    errorClass: "elementwise",
  };
}

function castCase(from: FloatDtype, to: FloatDtype): OracleCase {
  return {
    name: `cast ${from} → ${to}`,
    inputs: { x: new Numbers(3).input([67], { dtype: from }) },
    forward: ({ x }) => ({ y: x! }),
    vjp: (_inputs, dy) => ({ x: dy }),
    run: ({ x }) => ({ y: cast(x!, to) }),
    errorClass: "elementwise",
    storage: to,
  };
}

function sumCase(name: "sum" | "mean" | "sumLast", shape: Shape): OracleCase {
  const n = name === "sumLast" ? shape.at(-1)! : shape.reduce((a, b) => a * b, 1);
  const factor = name === "mean" ? 1 / n : 1;
  const op = { sum, mean, sumLast }[name];
  return {
    name: `${name} [${shape.join(", ")}]`,
    inputs: { x: new Numbers(n).input(shape) },
    forward: ({ x }) => ({
      y: Float64Array.from({ length: x!.length / n }, (_, row) => factor * x!.subarray(row * n, (row + 1) * n).reduce((a, b) => a + b, 0)),
    }),
    vjp: ({ x }, dy) => ({ x: x!.map((_, i) => factor * dy[Math.floor(i / n)]!) }),
    run: ({ x }) => ({ y: op(x!) }),
    errorClass: "rowReduction",
  };
}

/** One tensor as both operands: its two gradients are added. */
const twiceCase: OracleCase = {
  name: "add x and x",
  inputs: { x: new Numbers(8).input([70]) },
  forward: ({ x }) => ({ y: x!.map((value) => 2 * value) }),
  vjp: (_inputs, dy) => ({ x: dy.map((gradient) => 2 * gradient) }),
  run: ({ x }) => ({ y: add(x!, x!) }),
  errorClass: "elementwise",
};

/** Of positive numbers, some large. */
const logCase: OracleCase = {
  name: "log, 67 elements",
  inputs: { x: { ...new Numbers(4).input([67]), data: Float64Array.from({ length: 67 }, (_, i) => Math.fround(0.02 * 1.5 ** i)) } },
  forward: ({ x }) => ({ y: x!.map(Math.log) }),
  vjp: ({ x }, dy) => ({ x: x!.map((value, i) => dy[i]! / value) }),
  run: ({ x }) => ({ y: log(x!) }),
  errorClass: "elementwise",
};

/** Of negative numbers, on both sides of −ln 2. */
const logOneMinusExpCase: OracleCase = {
  name: "logOneMinusExp, 67 elements",
  inputs: { x: { ...new Numbers(5).input([67]), data: Float64Array.from({ length: 67 }, (_, i) => Math.fround(-0.02 * 1.1 ** i)) } },
  forward: ({ x }) => ({ y: x!.map((value) => Math.log(-Math.expm1(value))) }),
  vjp: ({ x }, dy) => ({ x: x!.map((value, i) => dy[i]! / -Math.expm1(-value)) }),
  run: ({ x }) => ({ y: logOneMinusExp(x!) }),
  errorClass: "elementwise",
};

export const elementwiseCases: OracleCase[] = [
  logOneMinusExpCase,
  binaryCase("add", [1], [1]),
  binaryCase("add", [3, 65], [65]),
  binaryCase("add", [3, 64], [64]),
  binaryCase("add", [], [2, 4]),
  binaryCase("sub", [7], [5, 7]),
  binaryCase("mul", [131, 3], [131, 3]),
  binaryCase("mul", [300, 2], [2]),
  binaryCase("mul", [9], [9], "f16"),
  binaryCase("div", [5, 7], [5, 7]),
  binaryCase("div", [3, 64], [64]),
  binaryCase("div", [7], [5, 7]),
  binaryCase("div", [9], [], "f16"),
  whereCase([5, 7], [5, 7], [5, 7], "u32"),
  whereCase([2, 8], [2, 8], [8], "f32"),
  whereCase([6], [4, 6], [], "i32"),
  whereCase([3, 1], [], [3, 1], "u32"),
  whereCase([3, 4], [3, 4], [3, 4], "u32", "f16"),
  ...Object.keys(unaries).map((name) => unaryCase(name, 67)),
  unaryCase("sigmoid", 129, 60),
  unaryCase("logSigmoid", 129, 60),
  logCase,
  { ...unaryCase("shift by 0.75", 4_194_305), manyGroups: true },
  twiceCase,
  castCase("f32", "f16"),
  castCase("f16", "f32"),
  sumCase("sum", [1]),
  sumCase("sum", [33, 61]),
  sumCase("mean", [5, 7]),
  sumCase("sumLast", [3, 300]),
];
