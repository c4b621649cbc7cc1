import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { chosenGpus, nvidiaGpus, type DriverPlaces } from "./nvidia-gpus.js";
import { gpuOf } from "./take-gpu.js";

const folder = mkdtempSync(join(tmpdir(), "kto-gpus-"));
const places: DriverPlaces = { devices: join(folder, "dev"), driver: join(folder, "driver"), isUsable: () => true };
afterAll(() => rmSync(folder, { recursive: true }));

/** The later on the bus has the lower number here. */
const cards = [
  { bus: "0000:9b:00.0", minor: 0, uuid: "GPU-bbbb" },
  { bus: "0000:1b:00.0", minor: 1, uuid: "GPU-aaaa" },
];

beforeAll(() => {
  mkdirSync(places.devices);
  for (const name of ["nvidiactl", "nvidia-uvm", "nvidia0", "nvidia1", "null"]) writeFileSync(join(places.devices, name), "");
  for (const { bus, minor, uuid } of cards) {
    mkdirSync(join(places.driver, bus), { recursive: true });
    writeFileSync(join(places.driver, bus, "information"), `Model: \t\t NVIDIA H200\nGPU UUID: \t ${uuid}\nDevice Minor: \t ${minor}\n`);
  }
});

it("finds the nodes of GPUs, in the order of nvidia-smi, with what the driver says of them", () => {
  expect(nvidiaGpus(places)).toEqual([
    { node: join(places.devices, "nvidia1"), uuid: "GPU-aaaa", bus: "0000:1b:00.0" },
    { node: join(places.devices, "nvidia0"), uuid: "GPU-bbbb", bus: "0000:9b:00.0" },
  ]);
});

it("leaves out what a container or a control group does not let the process open, and knows a GPU by its node where the driver is silent", () => {
  expect(nvidiaGpus({ ...places, isUsable: (node) => node.endsWith("nvidia0") }).map(({ uuid }) => uuid)).toEqual(["GPU-bbbb"]);
  const [gpu] = nvidiaGpus({ ...places, driver: join(folder, "none") });
  expect(gpu).toEqual({ node: join(places.devices, "nvidia0"), uuid: join(places.devices, "nvidia0"), bus: "" });
  expect(nvidiaGpus({ ...places, devices: join(folder, "none") })).toEqual([]);
});

it("takes CUDA_VISIBLE_DEVICES at its word where it names GPUs that are there", () => {
  const gpus = nvidiaGpus(places);
  const named = (text: string): string[] => chosenGpus(gpus, { CUDA_VISIBLE_DEVICES: text }).map(({ uuid }) => uuid);
  expect(named("1,0")).toEqual(["GPU-bbbb", "GPU-aaaa"]);
  expect(named("1")).toEqual(["GPU-bbbb"]);
  expect(named("GPU-aa")).toEqual(["GPU-aaaa"]);
  for (const other of ["", "7", "MIG-cccc"]) expect(named(other)).toEqual(["GPU-aaaa", "GPU-bbbb"]);
});

it("gives each rank of a machine a GPU, and refuses a rank more unless ranks share", () => {
  const gpus = nvidiaGpus(places);
  const of = (localRank: number, shares = false): string | undefined => gpuOf(gpus, { localRank, shares })?.uuid;
  expect([of(0), of(1), of(2, true)]).toEqual(["GPU-aaaa", "GPU-bbbb", "GPU-aaaa"]);
  expect(() => of(2)).toThrow(/^mpi: there are more ranks on this machine than GPUs; expected at most 2, got rank 2 counted from 0/);
  expect(gpuOf([], { localRank: 3, shares: false })).toBeUndefined();
  expect(gpuOf(gpus.slice(1), { localRank: 3, shares: false })?.uuid).toBe("GPU-bbbb"); // the environment showed it this one
});
