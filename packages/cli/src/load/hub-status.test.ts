import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startLoopbackHub, type LoopbackHub } from "../../../hub/src/testing/loopback-hub.js";
import { hubEnv, kto } from "../testing/run-kto.js";
import { hubStatus } from "./hub-status.js";

let hub: LoopbackHub;
beforeEach(async () => void (hub = await startLoopbackHub()));
afterEach(async () => hub[Symbol.asyncDispose]());

const env = (more: Record<string, string> = {}): Record<string, string> => ({ ...hubEnv(hub, "/nowhere/cache"), ...more });

it("says that the hub answers, where the cache is, and whether there is a token", async () => {
  const status = { endpoint: hub.endpoint, reachable: true, reason: null, token: false, cache: "/nowhere/cache" };
  expect(await hubStatus({ env: env() })).toEqual(status);
  expect(await hubStatus({ env: env({ HF_TOKEN: "hf_secret" }) })).toEqual({ ...status, token: true });
  expect(hub.requests.map(({ authorization }) => authorization)).toEqual([undefined, undefined]);
});

it("asks nothing when told to be offline", async () => {
  expect(await hubStatus({ env: env({ HF_HUB_OFFLINE: "1" }) })).toMatchObject({
    reachable: null,
    reason: expect.stringContaining("HF_HUB_OFFLINE") as unknown,
  });
  expect(hub.requests).toEqual([]);
});

it("gives up on a hub that does not answer, and on one that is not there", async () => {
  const silent = createServer(() => undefined).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  try {
    expect(await hubStatus({ env: env({ HF_ENDPOINT: endpoint }) })).toMatchObject({ reachable: false, reason: "no answer in 3 seconds" });
  } finally {
    silent.closeAllConnections();
    silent.close();
  }
  await once(silent, "close");
  expect(await hubStatus({ env: env({ HF_ENDPOINT: endpoint }) })).toMatchObject({ reachable: false, reason: "ECONNREFUSED" });
  expect(await hubStatus({ env: env({ HF_ENDPOINT: "no address" }) })).toMatchObject({ reachable: false });
});

it("kto doctor reports it, without the token, and without a GPU too", async () => {
  const argv = ["doctor", "--device", "gpu"];
  const options = { env: env({ HF_TOKEN: "hf_secret", VK_DRIVER_FILES: "" }) };
  const { stdout, stderr } = await kto([...argv, "--json"], options);
  expect(JSON.parse(stdout)).toMatchObject({ hub: { endpoint: hub.endpoint, reachable: true, token: true, cache: "/nowhere/cache" } });
  expect(stdout + stderr).not.toContain("hf_secret");
  const text = (await kto(argv, options)).stdout;
  expect(text).toContain(`hub         ${hub.endpoint} (reachable)\n            with a token\n            cache /nowhere/cache\n`);
  hub.fault = () => ({ status: 503 });
  expect((await kto(argv, options)).stdout).toMatch(/the hub is not reachable: .*\n? *.*status 503/);
});
