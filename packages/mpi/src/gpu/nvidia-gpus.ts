import { closeSync, constants, openSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** A GPU of NVIDIA's driver on Linux that this process may use. */
export interface NvidiaGpu {
  /** Its device node: `/dev/nvidia0`. */
  node: string;
  /** `GPU-8f3c…`; its node where the driver does not tell. */
  uuid: string;
  /** Its place on the PCI bus, `0000:1b:00.0`, in whose order `nvidia-smi` counts. */
  bus: string;
}

/** Where this looks; tests have folders of their own. */
export interface DriverPlaces {
  /** Device nodes. */
  devices: string;
  /** A folder for each GPU, with a file `information`. */
  driver: string;
  /** Whether a node is one of the driver's, and this process may open it. */
  isUsable(node: string): boolean;
}

const places: DriverPlaces = { devices: "/dev", driver: "/proc/driver/nvidia/gpus", isUsable: isUsableNode };

/** The number of NVIDIA's driver among character devices. */
const nvidiaMajor = 195;

/** The GPUs that this process may open, in the order of `nvidia-smi`: a container, a control group or a mount may have taken some away. */
export function nvidiaGpus({ devices, driver, isUsable }: DriverPlaces = places): NvidiaGpu[] {
  const told = new Map(namesIn(driver).map((bus) => [minorOf(join(driver, bus)), { bus, uuid: factOf(join(driver, bus), "GPU UUID") }]));
  return namesIn(devices)
    .flatMap((name) => {
      const minor = /^nvidia(\d+)$/.exec(name)?.[1];
      const node = join(devices, name);
      if (minor === undefined || !isUsable(node)) return [];
      const { bus = "", uuid } = told.get(minor) ?? {};
      return [{ node, uuid: uuid ?? node, bus }];
    })
    .sort((a, b) => (a.bus === b.bus ? a.node.localeCompare(b.node, "en", { numeric: true }) : a.bus < b.bus ? -1 : 1));
}

/**
 * Those of them that `CUDA_VISIBLE_DEVICES` names, in its order: by number among them, or by the beginning of the UUID. All of them where it is not set, or says something
 * else (a slice of a GPU).
 */
export function chosenGpus(gpus: readonly NvidiaGpu[], env: Environment): readonly NvidiaGpu[] {
  const named = env["CUDA_VISIBLE_DEVICES"];
  if (named === undefined || named.trim() === "") return gpus;
  const words = named.split(",").map((word) => word.trim());
  const chosen = words.map((word) => (/^\d+$/.test(word) ? gpus[Number(word)] : gpus.find(({ uuid }) => uuid.startsWith(word))));
  return chosen.every((gpu) => gpu !== undefined) ? chosen : gpus;
}

function isUsableNode(node: string): boolean {
  try {
    const { rdev } = statSync(node);
    if (((rdev >> 8) & 0xfff) !== nvidiaMajor) return false; // something else was mounted over it
    closeSync(openSync(node, constants.O_RDWR));
    return true;
  } catch {
    return false;
  }
}

function minorOf(folder: string): string | undefined {
  return factOf(folder, "Device Minor");
}

function factOf(folder: string, name: string): string | undefined {
  try {
    return new RegExp(`^${name}:\\s*(.+?)\\s*$`, "m").exec(readFileSync(join(folder, "information"), "utf8"))?.[1];
  } catch {
    return undefined;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
