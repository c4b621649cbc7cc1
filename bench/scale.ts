/**
 * The time of an update over 1 to 1,024 ranks by a model (`scale/model.ts`): bucket, bandwidth and what lies under the backward pass.
 *
 *   npm run bench -- scale [--shape 1.5b|7b] [--compute-ms N] [--hidden-ms N] [--bytes-per-number 4] [--read-gbps N] [--write-gbps N] [--add-gbps N] [--piece-mib N] [--spread 0.1]
 *   npm run bench -- scale --check     compares it with sums of 2 and 4 ranks of this host, through mpirun and @kto/mpi
 *   npm run bench -- scale --measure   reads a bucket of the shape from the GPU, adds it and writes it back, each by itself
 */
import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ParameterBucket, requestDevice } from "@kto/tensor";
import { efficiency, f32Bytes, paysUpTo, updateTime, type Cluster } from "./scale/model.js";

const { values: options } = parseArgs({
  options: {
    shape: { type: "string" },
    "compute-ms": { type: "string" },
    "hidden-ms": { type: "string" },
    "bytes-per-number": { type: "string", default: "4" },
    "read-gbps": { type: "string", default: "2" },
    "write-gbps": { type: "string", default: "1.6" },
    "add-gbps": { type: "string", default: "2.8" },
    spread: { type: "string", default: "0.1" },
    "piece-mib": { type: "string", default: "4" },
    check: { type: "boolean", default: false },
    measure: { type: "boolean", default: false },
  },
});

/**
 * LoRA of rank 16 on the seven projections; updates of 8 rows of 512 tokens in four bits on one H200 (2026-12-01), every layer checkpointed at 7B. What lies under the last
 * backward pass is an estimate: half of the update at 1.5B, whose rows go through in one pass, a third at 7B.
 */
const shapes = {
  "1.5b": { numParameters: 18_464_768, computeMs: 322, hiddenMs: 160 },
  "7b": { numParameters: 40_370_176, computeMs: 1366, hiddenMs: 450 },
};

const networks: [name: string, bytesPerSecond: number, messageSeconds: number][] = [
  ["1 Gb/s Ethernet", 1.25e8 * 0.94, 30e-6],
  ["10 Gb/s Ethernet", 1.25e9 * 0.94, 20e-6],
  ["25 Gb/s Ethernet", 3.1e9 * 0.94, 10e-6],
  ["100 Gb/s InfiniBand", 1.25e10 * 0.9, 2e-6],
  ["one host, shared memory", 4e9, 2e-6],
];
const sizes = [1, 2, 4, 8, 16, 64, 256, 1024];

const gigabytes = (name: "read-gbps" | "write-gbps" | "add-gbps"): number => Number(options[name]) * 1e9;

function clusterOf(shape: keyof typeof shapes, networkBytesPerSecond: number, messageSeconds: number): Cluster {
  const { numParameters, computeMs, hiddenMs } = shapes[shape];
  const share = Number(options["bytes-per-number"]) / f32Bytes;
  return {
    bucketBytes: numParameters * f32Bytes,
    computeSeconds: Number(options["compute-ms"] ?? computeMs) / 1000,
    hiddenSeconds: Number(options["hidden-ms"] ?? hiddenMs) / 1000,
    networkBytesPerSecond: networkBytesPerSecond / share,
    messageSeconds,
    readBytesPerSecond: gigabytes("read-gbps"),
    writeBytesPerSecond: gigabytes("write-gbps"),
    addBytesPerSecond: gigabytes("add-gbps"),
    pieceBytes: Number(options["piece-mib"]) * 2 ** 20,
    agreementSeconds: 1e-4,
    spread: Number(options.spread),
  };
}

function printTable(shape: keyof typeof shapes): void {
  const { bucketBytes, computeSeconds } = clusterOf(shape, 1, 0);
  console.log(
    `\n${shape}: ${(bucketBytes / 1e6).toFixed(0)} MB of gradients, ${(computeSeconds * 1000).toFixed(0)} ms an update on one GPU; share of an update that is not waiting\n`,
  );
  console.log(`| | ${sizes.map((size) => size.toLocaleString("en")).join(" | ")} | waits at 64, ms | pays up to |`);
  console.log(`| --- |${sizes.map(() => " --: |").join("")} --: | --: |`);
  for (const [name, bandwidth, latency] of networks) {
    const cluster = clusterOf(shape, bandwidth, latency);
    const shares = sizes.map((size) =>
      name.startsWith("one host") && size > 8 ? "" : `${(100 * efficiency(size, cluster)).toFixed(0)} %`,
    );
    const most = paysUpTo(cluster, name.startsWith("one host") ? 8 : 1024);
    console.log(
      `| ${name} | ${shares.join(" | ")} | ${(1000 * updateTime(64, cluster).waited).toFixed(0)} | ${most.toLocaleString("en")} |`,
    );
  }
}

/** Sums of one piece and more on this host: the model takes its numbers from two ranks and says what four take. */
function check(): void {
  const mebibytes = [0, 1, 4, 16];
  const program = fileURLToPath(new URL("scale/loopback.ts", import.meta.url));
  const measured = new Map(
    [2, 4].map((size): [number, Record<string, number>] => {
      const args = [
        "--allow-run-as-root",
        "--oversubscribe",
        "-n",
        String(size),
        process.execPath,
        "--conditions=@kto/source",
        "--import=tsx",
        program,
        ...mebibytes.map(String),
      ];
      return [size, JSON.parse(execFileSync("mpirun", args, { encoding: "utf8" }).trim().split("\n").at(-1)!) as Record<string, number>];
    }),
  );
  const seconds = (size: number, of: number): number => measured.get(size)![of]!;
  const agreementSeconds = seconds(2, 0);
  const moved = 4 * 2 ** 20; // twice a piece but for the own slice, of two ranks
  const bytesPerSecond = moved / (seconds(2, 4) - agreementSeconds);
  const crowd = (size: number): number => Math.max(1, size / availableParallelism()); // ranks on the cores that there are
  console.log(
    `two ranks: ${(agreementSeconds * 1e6).toFixed(0)} µs a call, ${(bytesPerSecond / 1e9).toFixed(2)} GB/s sent and added; ${availableParallelism()} cores\n`,
  );
  console.log("| ranks | MiB | model, ms | measured, ms | measured / model |\n| --: | --: | --: | --: | --: |");
  for (const [size, of] of [2, 4].flatMap((ranks) => mebibytes.map((each): [number, number] => [ranks, each]))) {
    const bytes = of * 2 ** 20;
    const model = agreementSeconds * Math.log2(size) * crowd(size) + (2 * bytes * (1 - 1 / size) * crowd(size)) / bytesPerSecond;
    const found = seconds(size, of);
    console.log(`| ${size} | ${of} | ${(1000 * model).toFixed(2)} | ${(1000 * found).toFixed(2)} | ${(found / model).toFixed(2)} |`);
  }
}

/** Reading, adding and writing back by themselves, in GB/s. */
async function measure(shape: keyof typeof shapes): Promise<void> {
  await using device = await requestDevice();
  using bucket = new ParameterBucket(device, [{ name: "gradients", shape: [shapes[shape].numParameters] }]);
  const pieceBytes = Number(options["piece-mib"]) * 2 ** 20;
  using reader = device.reader(pieceBytes);
  const { flat } = bucket;
  const timed = async (name: string, body: (start: number, bytes: number) => Promise<void> | void): Promise<void> => {
    let least = Infinity;
    for (let repeat = 0; repeat < 5; repeat++) {
      await device.sync();
      const began = performance.now();
      for (let start = 0; start < flat.byteLength; start += pieceBytes) await body(start, Math.min(pieceBytes, flat.byteLength - start));
      await device.sync();
      least = Math.min(least, performance.now() - began);
    }
    console.log(`${name}: ${least.toFixed(1)} ms, ${(flat.byteLength / 1e6 / least).toFixed(2)} GB/s`);
  };
  const host = new Float32Array(pieceBytes / 4);
  const other = host.slice();
  console.log(`${device.capabilities.description}: ${(flat.byteLength / 1e6).toFixed(0)} MB in pieces of ${options["piece-mib"]} MiB`);
  await timed("read", async (start, bytes) => {
    using piece = device.unscoped(() => device.viewOf(flat, [bytes / 4], start, "piece"));
    const copied = reader.stage();
    copied.copy(piece);
    await copied.readBytes(new Uint8Array(host.buffer, 0, bytes));
  });
  await timed("add", (_start, bytes) => {
    for (let index = 0; index < bytes / 4; index++) host[index]! += other[index]!;
  });
  await timed("write", (start, bytes) => device.writeBytes(flat, new Uint8Array(host.buffer, 0, bytes), start));
}

const asked = options.shape as keyof typeof shapes | undefined;
if (asked !== undefined && !(asked in shapes)) {
  console.error(`scale: expected --shape 1.5b or 7b, got ${asked}`);
  process.exit(2);
}
if (options.check) check();
else if (options.measure) await measure(asked ?? "1.5b");
else for (const shape of asked ? [asked] : (Object.keys(shapes) as (keyof typeof shapes)[])) printTable(shape);
