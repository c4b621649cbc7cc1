import { closeSync, constants, openSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import koffi from "koffi";

/** Numbers of system calls, the same on every architecture of Linux. */
const calls = { createRuleset: 444, addRule: 445, restrictSelf: 446 } as const;

/** Asks `landlock_create_ruleset` for the version that the kernel has. */
const askVersion = 1;
const writeFile = 1n << 1n;
const pathBeneath = 1;
const setNoNewPrivileges = 38;
/** `O_PATH`: a file's place, which needs no right to open it. */
const placeOnly = 0o10000000;

/** The kernel's Landlock: a thread gives rights up, for itself and for threads and processes that it starts, without being root. */
interface Landlock {
  createRuleset(attributes: BigUint64Array | null, size: number, flags: number): number;
  addRule(ruleset: number, attributes: Uint8Array): number;
  restrictSelf(ruleset: number): number;
}

function landlock(): Landlock {
  const library = koffi.load(null);
  const syscall = library.func("long syscall(long number, ...)");
  const prctl = library.func("int prctl(int option, ...)");
  const call = (number: number, ...values: unknown[]): number => Number(syscall(number, ...values));
  return {
    createRuleset: (attributes, size, flags) => call(calls.createRuleset, "void *", attributes, "size_t", size, "uint32_t", flags),
    addRule: (ruleset, attributes) => call(calls.addRule, "int", ruleset, "int", pathBeneath, "void *", attributes, "uint32_t", 0),
    restrictSelf(ruleset) {
      prctl(setNoNewPrivileges, "long", 1, "long", 0, "long", 0, "long", 0);
      return call(calls.restrictSelf, "int", ruleset, "uint32_t", 0);
    },
  };
}

/** Whether this kernel has Landlock (Linux 5.13) and it is on. */
export function hasLandlock(): boolean {
  return process.platform === "linux" && landlock().createRuleset(null, 0, askVersion) > 0;
}

/**
 * Takes from this thread, and from what it starts from now on, the right to open these files for writing: device nodes, which a driver then takes for absent. Nothing gives
 * it back. Every folder of the root that is there now stays writable. False where the kernel does not do it.
 */
export function hideFiles(paths: readonly string[]): boolean {
  if (!hasLandlock()) return false;
  const kernel = landlock();
  const ruleset = kernel.createRuleset(BigUint64Array.of(writeFile), 8, 0);
  if (ruleset < 0) return false;
  try {
    for (const path of everythingBut(paths)) if (!allow(kernel, ruleset, path)) return false;
    return kernel.restrictSelf(ruleset) === 0;
  } finally {
    closeSync(ruleset);
  }
}

/** Landlock knows what is allowed and not what is forbidden: the entries of each folder on the way to a hidden file, but for that way. */
function everythingBut(paths: readonly string[]): string[] {
  const onTheWay = new Set(paths.flatMap(ancestors));
  return [...onTheWay]
    .filter((folder) => !paths.includes(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    .filter((path) => !onTheWay.has(path));
}

/** `/`, `/dev`, `/dev/nvidia1`. */
function ancestors(path: string): string[] {
  return path === "/" ? ["/"] : [...ancestors(dirname(path)), path];
}

function allow(kernel: Landlock, ruleset: number, path: string): boolean {
  let file: number;
  try {
    file = openSync(path, placeOnly | constants.O_NOFOLLOW);
  } catch {
    return true; // it is gone
  }
  const attributes = new Uint8Array(12); // packed: what is allowed, and beneath which file
  const view = new DataView(attributes.buffer);
  view.setBigUint64(0, writeFile, true);
  view.setInt32(8, file, true);
  try {
    kernel.addRule(ruleset, attributes); // a link cannot carry a rule: what it leads to has its own
    return true;
  } finally {
    closeSync(file);
  }
}
