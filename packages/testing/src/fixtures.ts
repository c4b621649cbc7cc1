import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../fixtures/", import.meta.url));

/** Path of a file or folder below packages/testing/fixtures: `fixturePath("kto", "runs", "main", "config.json")`. */
export function fixturePath(...parts: string[]): string {
  return join(ROOT, ...parts);
}

/** A JSON fixture, parsed. */
export function readFixtureJson<T>(...parts: string[]): T {
  return JSON.parse(readFileSync(fixturePath(...parts), "utf8")) as T;
}

/** A JSONL fixture: one value per line that is not empty. */
export function readFixtureJsonl<T>(...parts: string[]): T[] {
  const lines = readFileSync(fixturePath(...parts), "utf8").split("\n");
  return lines.filter((line) => line.trim() !== "").map((line) => JSON.parse(line) as T);
}

/**
 * What lies in a fixture folder (files and folders, sorted, READMEs left out), so that a case dropped in is a test.
 *
 * @throws Error when the folder holds nothing: a suite without cases would pass unseen
 */
export function listFixtures(...parts: string[]): string[] {
  const names = readdirSync(fixturePath(...parts)).filter((name) => name !== "README.md" && !name.startsWith("."));
  if (names.length === 0)
    throw new Error(`listFixtures: ${join(...parts)} is empty; expected at least one fixture; copy it from the reference set`);
  return names.sort();
}
