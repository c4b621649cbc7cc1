import type { TakenGpu } from "@kto/mpi";
import type { Device, FloatDtype } from "@kto/tensor";
import type { CommandInput } from "../commands/command.js";
import { ConfigError } from "../errors.js";
import { adapterInfo } from "../load/adapter-info.js";
import { describeRanks } from "../render/banner.js";
import type { Console } from "../render/console.js";
import type { Ranks } from "./ranks.js";

/** Leaves this rank the GPU that is its own, before a device is opened; undefined where there is none of NVIDIA's, or none is asked for. */
export async function gpuOfRank({ ranks, options, io }: CommandInput, shares: boolean): Promise<TakenGpu | undefined> {
  if (!ranks || options.device === "software") return undefined;
  const { takeGpu } = await import("@kto/mpi");
  return takeGpu({ localRank: ranks.collective.localRank, shares, env: io.env });
}

/** What a rank computes on. */
export interface RankDevice {
  device: Device;
  gpu: TakenGpu | undefined;
  dtype: FloatDtype;
  /** Ranks may have the same GPU. */
  shares: boolean;
}

/** Says which GPU each rank has. Throws, on every rank, ConfigError where two of a machine have the same, RanksError where ranks compute in different types. */
export async function sayGpus(ranks: Ranks, { device, gpu, dtype, shares }: RankDevice, console: Console): Promise<void> {
  const { software } = device.capabilities;
  const name = gpu ? `${gpu.uuid}${gpu.bus && ` (${gpu.bus})`}` : adapterInfo(device).name;
  const gpus = await ranks.collective.gatherTexts(software ? "the software adapter" : name);
  const places = gpus.map((name, rank) => `${ranks.hosts[rank]} ${name}`);
  const second = places.findIndex((place, rank) => gpus[rank] !== "the software adapter" && places.indexOf(place) < rank);
  if (second > 0 && !shares)
    throw new ConfigError([
      `ranks_share_gpu: two ranks have one GPU, or GPUs that cannot be told apart; expected a GPU for each, got ${gpus[second]} on rank ${places.indexOf(places[second]!)} and on ${ranks.nameOf(second)}; start fewer ranks, show each rank its own GPU, or set ranks_share_gpu`,
    ]);
  describeRanks(console, ranks, gpus);
  await ranks.expectSame({ dtype: dtype === "f16" ? "float16" : "float32" }, "set dtype to what every GPU has");
}
