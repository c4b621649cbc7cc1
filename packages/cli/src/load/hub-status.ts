import { cacheFolder, hubEndpoint, hubToken, isOffline } from "@kto/hub/node";
import type { Io } from "../io.js";

/** What a machine can do with the hub. */
export interface HubStatus {
  endpoint: string;
  /** null: it was not asked, because the environment says that nothing may be sent. */
  reachable: boolean | null;
  /** Why it is not, or was not asked. */
  reason: string | null;
  /** Whether there is a token; never the token itself. */
  token: boolean;
  cache: string;
}

const timeoutMs = 3000;

/** Asks the hub for any answer; without a network it gives up soon. Never throws. */
export async function hubStatus({ env, signal }: Pick<Io, "env" | "signal">): Promise<HubStatus> {
  const endpoint = hubEndpoint(env);
  const status = { endpoint, token: hubToken(env) !== undefined, cache: cacheFolder(env) };
  if (isOffline(env)) return { ...status, reachable: null, reason: "not asked, since HF_HUB_OFFLINE is set" };
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const { status: code } = await fetch(endpoint, {
      method: "HEAD",
      redirect: "manual",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    return code < 500 ? { ...status, reachable: true, reason: null } : { ...status, reachable: false, reason: `status ${code}` };
  } catch (error) {
    return { ...status, reachable: false, reason: timeout.aborted ? `no answer in ${timeoutMs / 1000} seconds` : plainReason(error) };
  }
}

/** The cause under `fetch failed`. */
function plainReason(error: unknown): string {
  const { cause, message } = error as Error & { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? message;
}
