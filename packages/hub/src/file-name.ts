import { excerpt } from "@kto/core";
import { HubError } from "./errors.js";

/** A path of a repository's file that stays inside any folder it is put in, on every system; throws HubError (`"fileName"`) for another. */
export function checkFileName(fileName: string, repo: string): string {
  const parts = fileName.split("/");
  const isInside =
    parts.every((part) => part !== "" && part !== "." && part !== ".." && !/[\\\0]/.test(part)) && !/^[A-Za-z]:/.test(fileName);
  if (isInside) return fileName;
  throw new HubError(`hub: not a file of ${repo}; expected a relative path such as "folder/config.json", got ${excerpt(fileName)}`, {
    reason: "fileName",
    repo,
    file: fileName,
  });
}
