import { statSync } from "node:fs";
import { excerpt } from "@kto/core";

/** What is wrong with a path that is to be the folder of a run. */
export function folderMistake(command: string, folder: string): string[] {
  const stats = statSync(folder, { throwIfNoEntry: false });
  if (stats?.isDirectory()) return [];
  return [
    `${command}: ${excerpt(folder)} is no folder; expected the output_dir of a run, got ${stats ? "a file" : "nothing of that name"}; check the path`,
  ];
}
