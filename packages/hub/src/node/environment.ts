import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** Variables by name, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_ENDPOINT = "https://huggingface.co";
const DEFAULT_TIMEOUT_SECONDS = 10;

/** Folder in which models and datasets are kept, as in Python: `$HF_HUB_CACHE`, `$HF_HOME/hub`, `$XDG_CACHE_HOME/huggingface/hub`, `~/.cache/huggingface/hub`. */
export function cacheFolder(env: Environment = process.env): string {
  const folder = set(env.HF_HUB_CACHE) ?? set(env.HUGGINGFACE_HUB_CACHE);
  return folder ? expand(folder, env) : join(homeFolder(env), "hub");
}

/**
 * The access token, as in Python: `$HF_TOKEN`, `$HUGGING_FACE_HUB_TOKEN`, the file `$HF_TOKEN_PATH` or `$HF_HOME/token`.
 * Undefined when there is none, or `$HF_HUB_DISABLE_IMPLICIT_TOKEN` is set.
 */
export function hubToken(env: Environment = process.env): string | undefined {
  if (isTrue(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined;
  return clean(env.HF_TOKEN) ?? clean(env.HUGGING_FACE_HUB_TOKEN) ?? clean(readTokenFile(env));
}

/** Address of the hub, without a slash at its end: `$HF_ENDPOINT`, or `https://huggingface.co`. */
export function hubEndpoint(env: Environment = process.env): string {
  return (set(env.HF_ENDPOINT?.trim()) ?? DEFAULT_ENDPOINT).replace(/\/+$/, "");
}

/** True when `$HF_HUB_OFFLINE` or `$TRANSFORMERS_OFFLINE` is 1, true, yes or on. */
export function isOffline(env: Environment = process.env): boolean {
  return isTrue(env.HF_HUB_OFFLINE) || isTrue(env.TRANSFORMERS_OFFLINE);
}

/** Milliseconds without an answer after which a metadata request, and without a byte after which a transfer, counts as cut. */
export function hubTimeouts(env: Environment = process.env): { metadataMs: number; transferMs: number } {
  return { metadataMs: seconds(env.HF_HUB_ETAG_TIMEOUT) * 1000, transferMs: seconds(env.HF_HUB_DOWNLOAD_TIMEOUT) * 1000 };
}

function homeFolder(env: Environment): string {
  const home = set(env.HF_HOME);
  return home ? expand(home, env) : join(expand(set(env.XDG_CACHE_HOME) ?? "~/.cache", env), "huggingface");
}

function readTokenFile(env: Environment): string | undefined {
  const path = set(env.HF_TOKEN_PATH);
  try {
    return readFileSync(path ? expand(path, env) : join(homeFolder(env), "token"), "utf8");
  } catch {
    return undefined; // no such file, or not for us to read: no token
  }
}

/** `~`, `$NAME` and `${NAME}` as a shell expands them; a name that is not set stays as it is. */
function expand(path: string, env: Environment): string {
  const expanded = path.replace(/\$(?:(\w+)|\{(\w+)\})/g, (all, plain?: string, braced?: string) => env[plain ?? braced ?? ""] ?? all);
  return resolve(expanded.replace(/^~(?=$|[/\\])/, () => set(env.HOME) ?? homedir()));
}

const set = (value: string | undefined): string | undefined => (value === undefined || value === "" ? undefined : value);
/** Without line ends and blanks around it; a header could not hold them. */
const clean = (value: string | undefined): string | undefined => set(value?.replace(/[\r\n]/g, "").trim());
const isTrue = (value: string | undefined): boolean => /^(1|true|yes|on)$/i.test(value ?? "");

function seconds(value: string | undefined): number {
  const number = Number(set(value) ?? DEFAULT_TIMEOUT_SECONDS);
  return Number.isFinite(number) && number > 0 ? number : DEFAULT_TIMEOUT_SECONDS;
}
