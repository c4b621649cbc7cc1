import { createHash, randomUUID } from "node:crypto";
import { access, lstat, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { CapabilityError, FormatError } from "@kto/core";
import { readTar } from "./tar.js";

/** The files of the archive that Dawn needs; the ANGLE libraries beside them are left out. */
export const FILES = { loader: "libvulkan.so.1", driver: "libvk_swiftshader.so", icd: "vk_swiftshader_icd.json" } as const;

const PACKAGE_PATH = join("@sparticuz", "chromium");

/**
 * Path of SwiftShader's archive in the npm package `@sparticuz/chromium`, as seen from the module `from`.
 *
 * @throws CapabilityError when the package is not installed there
 */
export function findArchive(from: string | URL): string {
  try {
    const main = createRequire(from).resolve("@sparticuz/chromium"); // build/cjs/index.cjs in version 147, build/index.js in 153
    const root = main.slice(0, main.lastIndexOf(PACKAGE_PATH) + PACKAGE_PATH.length);
    return join(root, "bin", "swiftshader.tar.br");
  } catch (cause) {
    throw new CapabilityError(
      "installSoftwareGpu: the npm package @sparticuz/chromium, which brings SwiftShader, is not installed; run: npm install --save-dev @sparticuz/chromium@147.0.0",
      { missing: "@sparticuz/chromium", cause },
    );
  }
}

/**
 * Folders that may hold unpacked files, best first: `$XDG_CACHE_HOME` or `~/.cache`, then one of the user's own below the system's
 * temporary folder (a home may be read-only, in a container or a function).
 */
export function cacheRoots(env: NodeJS.ProcessEnv = process.env): string[] {
  const { XDG_CACHE_HOME: xdg, HOME: home } = env;
  const caches = xdg && isAbsolute(xdg) ? [xdg] : home ? [join(home, ".cache")] : [];
  return [...caches.map((cache) => join(cache, "kto", "software-gpu")), join(tmpdir(), `kto-software-gpu-${process.getuid!()}`)];
}

/**
 * Unpacks the driver and the loader into the first of `roots` that can be written, once: a folder named by the archive's hash that is there
 * already is used as it is. Files are written aside and moved into place whole, so any number of processes may do this at once.
 *
 * @returns the folder that holds `FILES`
 */
export async function unpackOnce(archivePath: string, roots: string[]): Promise<string> {
  const archive = await readFile(archivePath).catch((cause: unknown) => {
    throw new CapabilityError(
      `installSoftwareGpu: ${archivePath} cannot be read; expected @sparticuz/chromium 147 or later, for Linux; run: npm install --save-dev @sparticuz/chromium@147.0.0`,
      { missing: "swiftshader.tar.br", cause },
    );
  });
  const version = createHash("sha256").update(archive).digest("hex").slice(0, 16);
  for (const root of roots) {
    if (await isComplete(join(root, version))) return join(root, version);
  }
  const failures: unknown[] = [];
  for (const root of roots) {
    try {
      return await unpackInto(root, version, archive);
    } catch (error) {
      if (error instanceof FormatError) throw error;
      failures.push(error);
    }
  }
  throw new CapabilityError(
    `installSoftwareGpu: no folder to unpack into (7 MB); tried ${roots.join(", ")}; set XDG_CACHE_HOME to a folder that can be written`,
    { missing: "a writable cache folder", cause: new AggregateError(failures) },
  );
}

async function unpackInto(root: string, version: string, archive: Uint8Array): Promise<string> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  await expectOwn(root);
  const target = join(root, version);
  const aside = join(root, `${version}.${randomUUID()}`);
  try {
    await mkdir(aside);
    const files = new Map([...readTar(brotliDecompressSync(archive))].map((file) => [file.name, file.content]));
    for (const name of Object.values(FILES)) {
      const content = files.get(name);
      if (!content) {
        throw new FormatError(
          `installSoftwareGpu: swiftshader.tar.br holds no ${name}; got ${[...files.keys()].join(", ")}; install @sparticuz/chromium 147`,
        );
      }
      await writeFile(join(aside, name), content, { mode: 0o755 });
    }
    await rename(aside, target).catch(async (error: unknown) => {
      if (!(await isComplete(target))) throw error; // another process was first, and its files are the same
    });
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  return target;
}

/** A folder that somebody else owns could hold anything, and what is in it will be loaded into this process. */
async function expectOwn(folder: string): Promise<void> {
  const info = await lstat(folder);
  if (!info.isDirectory() || info.uid !== process.getuid!()) throw new Error(`${folder} belongs to another user`);
}

async function isComplete(folder: string): Promise<boolean> {
  try {
    await expectOwn(dirname(folder));
    await Promise.all(Object.values(FILES).map((name) => access(join(folder, name))));
    return true;
  } catch {
    return false;
  }
}
