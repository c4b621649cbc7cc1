import { ArgumentError } from "@kto/core";

export { fileDirectory } from "@kto/core/node";

/** Gone; throws ArgumentError, which says what stands for it. */
export function openModel(folder: string): never {
  throw new ArgumentError(
    `openModel: this function is gone; expected fileDirectory(${JSON.stringify(folder)}) of @kto/qwen2/node, or loadModel of @kto/kit, which takes the path itself`,
  );
}
