import type { HubSource } from "../source.js";
import type { CacheOptions } from "./options.js";

export function hub(id: string, _options: CacheOptions = {}): HubSource {
  throw new Error(`not yet: ${id}`);
}
