/**
 * Matrix products on this machine's GPU: every variant against float64 on sampled elements, then its speed from GPU timestamps.
 *
 *   npm run bench -- matmul [f16] [f32] [lora]      (all three sections by default)
 */
import { f16BitsToNumber, gemm, kernelRegistry, requestDevice, type Device, type FloatDtype, type Gemm, type Tensor } from "@kto/tensor";

interface Product {
  label: string;
  m: number;
  n: number;
  k: number;
  transposeA?: boolean;
  transposeB?: boolean;
  aType: FloatDtype;
  bType: FloatDtype;
  cType: FloatDtype;
  addend?: boolean;
  bias?: boolean;
  alpha?: number;
}

const warmUpMs = 350;
const sampledElements = 300;

/** Random bits of ± 0.25 … 0.5 in f16, or of f32 with the same range. */
function randomBytes(count: number, dtype: FloatDtype): Uint8Array {
  let state = count >>> 0;
  const next = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 8;
  if (dtype === "f32") {
    const words = new Uint32Array(count);
    for (let i = 0; i < count; i++) words[i] = (((next() & 1) << 31) | 0x3e800000 | (next() & 0x7fffff)) >>> 0;
    return new Uint8Array(words.buffer);
  }
  const halves = new Uint16Array(count + (count & 1));
  for (let i = 0; i < count; i++) halves[i] = (next() & 0x83ff) | 0x3400;
  return new Uint8Array(halves.buffer, 0, count * 2);
}

function numbersOf(bytes: Uint8Array, dtype: FloatDtype): (index: number) => number {
  const array = dtype === "f32" ? new Float32Array(bytes.buffer) : new Uint16Array(bytes.buffer);
  return (index) => (dtype === "f32" ? array[index]! : f16BitsToNumber(array[index]!));
}

interface Prepared {
  gemm: Gemm;
  expected: { index: number; value: number }[];
  free(): void;
}

/** Operands on the device, and some elements of the product in float64, corners among them. */
function prepare(device: Device, product: Product): Prepared {
  const { m, n, k, transposeA = false, transposeB = false, aType, bType, cType, alpha = 1 } = product;
  const bytes = {
    a: randomBytes(m * k, aType),
    b: randomBytes(n * k + 2, bType).subarray(0, n * k * (bType === "f16" ? 2 : 4)),
    addend: randomBytes(m * n, "f32"),
    bias: randomBytes(n, "f32"),
  };
  const tensors: Tensor[] = [];
  const upload = (data: Uint8Array, count: number, dtype: FloatDtype): Tensor => {
    const tensor = device.fromBytes(data, [count], dtype);
    tensors.push(tensor);
    return tensor;
  };
  const a = upload(bytes.a, m * k, aType);
  const b = upload(bytes.b, n * k, bType);
  const addend = product.addend ? upload(bytes.addend, m * n, "f32") : undefined;
  const bias = product.bias ? upload(bytes.bias, n, "f32") : undefined;
  const c = device.empty([m, n], cType);
  tensors.push(c);
  const [valueA, valueB] = [numbersOf(bytes.a, aType), numbersOf(bytes.b, bType)];
  const [valueAddend, valueBias] = [numbersOf(bytes.addend, "f32"), numbersOf(bytes.bias, "f32")];
  const expected = Array.from({ length: sampledElements }, (_, sample) => {
    const row = sample < 4 ? (sample & 1) * (m - 1) : (sample * 7919) % m;
    const col = sample < 4 ? (sample >> 1) * (n - 1) : (sample * 104_729 + 13) % n;
    let sum = 0;
    for (let depth = 0; depth < k; depth++)
      sum += valueA(transposeA ? depth * m + row : row * k + depth) * valueB(transposeB ? col * k + depth : depth * n + col);
    return { index: row * n + col, value: alpha * sum + (addend ? valueAddend(row * n + col) : 0) + (bias ? valueBias(col) : 0) };
  });
  return {
    gemm: { a, b, c, m, n, k, transposeA, transposeB, alpha, addend, bias },
    expected,
    free: () => {
      for (const tensor of tensors) tensor.dispose();
    },
  };
}

async function error(prepared: Prepared): Promise<number> {
  gemm(prepared.gemm);
  const values = await prepared.gemm.c.read();
  let [squares, size] = [0, 0];
  for (const { index, value } of prepared.expected) {
    squares += (values[index]! - value) ** 2;
    size += value ** 2;
  }
  return squares / size;
}

/** Median of the kernel times of one product, in microseconds, by kernel. */
async function time(device: Device, prepared: Prepared): Promise<{ total: number; parts: string }> {
  const start = performance.now();
  let batch = 4;
  while (performance.now() - start < warmUpMs) {
    const before = performance.now();
    for (let i = 0; i < batch; i++) gemm(prepared.gemm);
    await device.sync();
    if (performance.now() - before < 20) batch = Math.min(200, batch * 2);
  }
  const rounds: { total: number; parts: string }[] = [];
  for (let round = 0; round < 5; round++) {
    const count = Math.max(3, Math.min(60, batch));
    for (let i = 0; i < batch; i++) gemm(prepared.gemm);
    const { timings } = await device.recorder.profile(() => {
      for (let i = 0; i < count; i++) gemm(prepared.gemm);
    });
    const micros = timings.map(({ label, totalMs, count: calls }) => ({
      name: label.split(" ").slice(0, 2).join(" "),
      each: (1000 * totalMs) / calls,
    }));
    rounds.push({
      total: micros.reduce((sum, { each }) => sum + each, 0),
      parts: micros.map(({ name, each }) => `${name} ${each.toFixed(1)}`).join(", "),
    });
  }
  return rounds.sort((x, y) => x.total - y.total)[2]!;
}

async function measure(device: Device, product: Product, variant: string | undefined): Promise<void> {
  const prepared = prepare(device, product);
  try {
    if (variant) device.recorder.variants.set("matmul", variant);
    const started = performance.now();
    const nmse = await error(prepared);
    const firstMs = performance.now() - started;
    const { total, parts } = await time(device, prepared);
    const { m, n, k } = product;
    const bytes = prepared.gemm.a.byteLength + prepared.gemm.b.byteLength + prepared.gemm.c.byteLength + (product.addend ? 4 * m * n : 0);
    const limit = product.cType === "f16" ? 1e-6 : product.aType === "f16" && product.bType === "f16" ? 1e-9 : 1e-10;
    console.log(
      [
        nmse <= limit ? "ok " : "BAD",
        `${m}×${n}×${k} ${product.aType} ${product.bType}→${product.cType} ${product.label}`.padEnd(52),
        (variant ?? "(chosen)").padEnd(20),
        `${total.toFixed(1).padStart(9)} µs`,
        `${((2 * m * n * k) / total / 1e6).toFixed(1).padStart(7)} TFLOP/s`,
        `${(bytes / total / 1e3).toFixed(0).padStart(6)} GB/s`,
        `NMSE ${nmse.toExponential(1)}`,
        `first ${firstMs.toFixed(0)} ms`,
        parts,
      ].join("  "),
    );
  } catch (cause) {
    console.log(
      `BAD ${product.m}×${product.n}×${product.k} ${product.label} ${variant ?? "(chosen)"}: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  } finally {
    device.recorder.variants.delete("matmul");
    prepared.free();
  }
}

type Shape = [m: number, n: number, k: number];
const half = { aType: "f16", bType: "f16" } as const;
const single = { aType: "f32", bType: "f32", cType: "f32" } as const;

async function f16Section(device: Device, shapes: Shape[]): Promise<void> {
  const available = kernelRegistry
    .get("matmul")!
    .variants.map(({ name }) => name)
    .filter((name) => name.startsWith("subgroupMatrix") && !name.endsWith("Emulated"));
  for (const [m, n, k] of shapes) {
    for (const variant of device.capabilities.subgroupMatrix.length > 0 ? available : [undefined]) {
      await measure(device, { label: "x·Wᵀ", m, n, k, transposeB: true, ...half, cType: "f16" }, variant);
      await measure(device, { label: "x·Wᵀ", m, n, k, transposeB: true, ...half, cType: "f32", bias: true }, variant);
      await measure(device, { label: "dy·W", m, n: k, k: n, ...half, cType: "f32" }, variant);
    }
  }
  // Edges: rows and columns that fill no tile, depth with a tail, rows that are no vectors.
  for (const [m, n, k] of [
    [129, 200, 40],
    [1000, 1544, 1000],
    [77, 131, 93],
    [1, 8, 8],
  ] as Shape[]) {
    await measure(device, { label: "x·Wᵀ", m, n, k, transposeB: true, ...half, cType: "f16", bias: true }, undefined);
    await measure(device, { label: "dy·W", m, n, k, ...half, cType: "f32" }, undefined);
  }
}

async function f32Section(device: Device, [m, n, k]: Shape): Promise<void> {
  for (const variant of device.capabilities.software ? [undefined] : ["tiledVector", "tiled", "plain"]) {
    await measure(device, { label: "x·Wᵀ", m, n, k, transposeB: true, ...single }, variant);
    await measure(device, { label: "dy·W", m, n, k, ...single }, variant);
    await measure(device, { label: "dyᵀ·x", m, n, k, transposeA: true, ...single }, variant);
  }
  if (device.capabilities.shaderF16)
    await measure(device, { label: "x·Wᵀ, W f16", m, n, k, transposeB: true, ...single, bType: "f16" }, undefined);
}

async function loraSection(device: Device, shapes: Shape[], r: number, xType: FloatDtype): Promise<void> {
  for (const [tokens, out, inner] of shapes) {
    await measure(device, { label: "h = x·Aᵀ", m: tokens, n: r, k: inner, transposeB: true, ...single, aType: xType }, undefined);
    await measure(
      device,
      { label: "y = base + s·h·Bᵀ", m: tokens, n: out, k: r, transposeB: true, ...single, cType: xType, addend: true, alpha: 2 },
      undefined,
    );
    await measure(device, { label: "dB = s·dyᵀ·h", m: out, n: r, k: tokens, transposeA: true, ...single, alpha: 2 }, undefined);
    await measure(device, { label: "dh = s·dy·B", m: tokens, n: r, k: out, ...single, alpha: 2 }, undefined);
    await measure(device, { label: "dA = dhᵀ·x", m: r, n: inner, k: tokens, transposeA: true, ...single, bType: xType }, undefined);
    await measure(device, { label: "dx = dh·A", m: tokens, n: inner, k: r, ...single }, undefined);
  }
}

const chosen = new Set(process.argv.slice(2));
const wants = (section: string): boolean => chosen.size === 0 || chosen.has(section);
const device = await requestDevice();
const { software, shaderF16, description } = device.capabilities;
console.log(`${description}; subgroup matrices: ${device.capabilities.subgroupMatrix.join(", ") || "none"}`);
if (wants("f16") && shaderF16) {
  await f16Section(
    device,
    wants("quick") && chosen.size > 0
      ? [
          [2048, 8960, 1536],
          [2048, 1536, 8960],
          [2048, 1536, 1536],
          [4096, 4096, 4096],
        ]
      : [
          [2048, 1536, 1536],
          [2048, 256, 1536],
          [2048, 8960, 1536],
          [2048, 1536, 8960],
          [4096, 1536, 1536],
          [4096, 8960, 1536],
          [4096, 1536, 8960],
          [4096, 4096, 4096],
        ],
  );
}
if (wants("f32")) await f32Section(device, software ? [300, 128, 128] : [2048, 1536, 1536]);
if (wants("lora")) {
  const shapes: Shape[] = software
    ? [[300, 128, 64]]
    : [
        [2048, 1536, 1536],
        [2048, 256, 1536],
        [2048, 8960, 1536],
        [2048, 1536, 8960],
        [4096, 8960, 1536],
      ];
  await loraSection(device, shapes, software ? 8 : 16, shaderF16 ? "f16" : "f32");
}
device.dispose();
