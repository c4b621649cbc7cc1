import { expecting, field, integer, orNull, patterns, redeclared, text, where } from "@kto/core/config";
import { adaptersField, askingFields } from "./asking-fields.js";
import { trainFields } from "./train-fields.js";

const group = "server";

/** A key travels in a header. */
const isKey = (key: string): boolean => /^[\x21-\x7e]+$/.test(key);
const keyExpected = "letters, digits and signs without blanks";

/** `*`, or what browsers send as an origin. */
const isOrigin = (origin: string): boolean => origin === "*" || (URL.canParse(origin) && new URL(origin).origin === origin);

/** Where a server listens, whom it answers, and its limits. */
export const serverFields = {
  perDeviceEvalBatchSize: redeclared(trainFields.perDeviceEvalBatchSize, 32, { group, help: "answers that are made together" }),
  host: field(text(), "127.0.0.1", { group, help: "the address to listen on: this machine alone; 0.0.0.0 for every network it is in" }),
  port: field(
    where(integer(0), (port) => port < 65_536, "a whole number from 0 to 65535"),
    8000,
    { group, help: "0 takes one that is free" },
  ),
  apiKey: field(orNull(where(text(), isKey, keyExpected)), null, {
    group,
    help: "what requests must bring as Authorization: Bearer KEY; better given as KTO_API_KEY, since others of the machine may read command lines",
  }),
  maxQueue: field(integer(0), 128, { group, help: "requests that may wait for their answer to begin; more get 429" }),
  ctxSize: field(orNull(integer(2)), null, {
    group,
    help: "tokens in the cache, of all answers together: with more, more of them run at a time, and one has at most so many; by default 32,768, or one context where that is more",
  }),
  cors: field(
    orNull(where(expecting(patterns(), "origins"), (origins) => origins.every(isOrigin), "origins such as https://example.org, or *")),
    null,
    { group, help: "origins whose pages may read answers; * for any" },
  ),
};

/** Fields of `kto serve`. Those of sampling are what holds for requests that do not say. */
export const serveFields = { ...askingFields, ...adaptersField, ...serverFields };

/** The key that the environment names, and what is wrong with it: an empty one is no key, and a server without one is open. */
export function environmentKey(env: Readonly<Record<string, string | undefined>>): { key: string | undefined; mistakes: string[] } {
  const key = env["KTO_API_KEY"];
  if (key === undefined || isKey(key)) return { key, mistakes: [] };
  return {
    key: undefined,
    mistakes: [`KTO_API_KEY: not usable; expected ${keyExpected}, got ${key === "" ? "nothing" : "others"}; mend it, or unset it`],
  };
}
