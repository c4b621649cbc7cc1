import { existsSync } from "node:fs";
import { join } from "node:path";
import { isKtoError } from "@kto/core";
import type { AdapterFiles, ModelFiles } from "@kto/kit";
import { expandHome, isHubId } from "@kto/kit/node";
import type { Console } from "../render/console.js";
import type { HubAccess } from "./hub-access.js";
import { findAdapter, findModel, type ModelChoice } from "./inputs.js";

/** What a place holds: an adapter, or a whole model. */
export type AdapterOrModel = { adapter: AdapterFiles; model?: undefined } | { model: ModelFiles; adapter?: undefined };

/** Finds an adapter where there is one, else a model. Throws as `findModel` for what is neither. */
export async function findAdapterOrModel(place: string, access: HubAccess, console: Console, choice: ModelChoice): Promise<AdapterOrModel> {
  if (!isHubId(place)) {
    if (existsSync(join(expandHome(place), "adapter_config.json"))) return { adapter: await findAdapter(place, access) };
    return { model: await findModel(place, access, console, choice) };
  }
  try {
    return { adapter: await findAdapter(place, access) };
  } catch (error) {
    if (!isKtoError(error) || error.code !== "FORMAT") throw error; // a repository without the files of an adapter
    return { model: await findModel(place, access, console, choice) };
  }
}
