import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { cacheFolder, hubEndpoint, hubTimeouts, hubToken, isOffline } from "./environment.js";

it("finds the cache where Python does", () => {
  expect(cacheFolder({})).toBe(join(homedir(), ".cache/huggingface/hub"));
  expect(cacheFolder({ HOME: "/home/me", XDG_CACHE_HOME: "" })).toBe("/home/me/.cache/huggingface/hub");
  expect(cacheFolder({ XDG_CACHE_HOME: "/xdg" })).toBe("/xdg/huggingface/hub");
  expect(cacheFolder({ XDG_CACHE_HOME: "/xdg", HF_HOME: "~/hf", HOME: "/home/me" })).toBe("/home/me/hf/hub");
  expect(cacheFolder({ HF_HOME: "/hf", HF_HUB_CACHE: "$DISK/${NAME}/$OTHER", DISK: "/disk", NAME: "models" })).toBe("/disk/models/$OTHER");
  expect(cacheFolder({ HUGGINGFACE_HUB_CACHE: "/old" })).toBe("/old");
});

it("finds the token where Python does", async () => {
  const home = await mkdtemp(join(tmpdir(), "kto-home-"));
  await writeFile(join(home, "token"), " hf_file\n");
  await writeFile(join(home, "other"), "hf_other");
  expect(hubToken({ HF_HOME: home, HF_TOKEN: "hf_env\r\n" })).toBe("hf_env");
  expect(hubToken({ HF_HOME: home, HF_TOKEN: " ", HUGGING_FACE_HUB_TOKEN: "hf_old" })).toBe("hf_old");
  expect(hubToken({ HF_HOME: home })).toBe("hf_file");
  expect(hubToken({ HF_HOME: home, HF_TOKEN_PATH: join(home, "other") })).toBe("hf_other");
  expect(hubToken({ HF_HOME: home, HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" })).toBeUndefined();
  expect(hubToken({ HF_HOME: join(home, "none") })).toBeUndefined();
  await rm(home, { recursive: true });
});

it("reads endpoint, offline and timeouts", () => {
  expect(hubEndpoint({})).toBe("https://huggingface.co");
  expect(hubEndpoint({ HF_ENDPOINT: " https://mirror.example/hf// " })).toBe("https://mirror.example/hf");
  expect([
    isOffline({}),
    isOffline({ HF_HUB_OFFLINE: "0" }),
    isOffline({ HF_HUB_OFFLINE: "YES" }),
    isOffline({ TRANSFORMERS_OFFLINE: "1" }),
  ]).toEqual([false, false, true, true]);
  expect(hubTimeouts({ HF_HUB_ETAG_TIMEOUT: "2", HF_HUB_DOWNLOAD_TIMEOUT: "-1" })).toEqual({ metadataMs: 2_000, transferMs: 10_000 });
});
