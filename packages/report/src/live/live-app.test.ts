import { memoryStore, type Store } from "@kto/core";
import { beforeEach, describe, expect, it } from "vitest";
import { createLiveApp, type LiveApp } from "./live-app.js";
import type { LiveEvent } from "./live-events.js";
import type { LiveRun, RunStatus } from "./live-run.js";

let folder: Store;
let status: RunStatus;
let acts: string[];
let runs: LiveRun[];
let live: LiveApp;
beforeEach(() => {
  folder = memoryStore("outputs");
  status = { state: "training" };
  acts = [];
  const act = (name: string) => () => void acts.push(name);
  const control = {
    pause: act("pause"),
    resume: act("resume"),
    stop: act("stop"),
    save: () => Promise.reject(new Error("the disk is full")),
  };
  runs = [{ name: "outputs", folder, status: () => status, control }];
  live = createLiveApp({ title: "outputs", runs: () => runs });
});

const host = "127.0.0.1:6006";
const asked = (path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Response> =>
  Promise.resolve(live.app.request(`http://${host}${path}`, { method, headers: { host, ...headers } }));
const bearer = (): Record<string, string> => ({ authorization: `Bearer ${live.token}` });
const row = (step: number, loss: number | null = 1 / step): string =>
  `${JSON.stringify({ step, loss, step_time_ms: 10 + Math.random() })}\n`;

/** Events of a page, one after another; `alive` and `list` are left out. */
async function* eventsOf(name = "outputs"): AsyncGenerator<LiveEvent> {
  const { body } = await asked(`/events?run=${name}`, bearer());
  let text = "";
  for await (const bytes of body!) {
    text += new TextDecoder().decode(bytes);
    const whole = text.split("\n\n");
    text = whole.pop()!;
    for (const one of whole) {
      const event = JSON.parse(one.slice("data: ".length)) as LiveEvent;
      if (event.type !== "alive" && event.type !== "list") yield event;
    }
  }
}
const nextOf = async <Type extends LiveEvent["type"]>(
  events: AsyncGenerator<LiveEvent>,
  type: Type,
): Promise<LiveEvent & { type: Type }> => {
  for (;;) {
    const { value } = await events.next();
    if ((value as LiveEvent | undefined)?.type === type) return value as LiveEvent & { type: Type };
    if (value === undefined) throw new Error(`no ${type} came`);
  }
};

describe("who is let in", () => {
  it("by the token in the address, which gives a cookie and the address without it", async () => {
    const first = await asked(`/?run=a&token=${live.token}`);
    expect([first.status, first.headers.get("location")]).toEqual([303, "/?run=a"]);
    const cookie = first.headers.get("set-cookie")!;
    expect(cookie).toMatch(/^kto-[0-9a-f]{8}=\S+; Path=\/; HttpOnly; SameSite=Lax$/);
    const page = await asked("/", { cookie: cookie.split(";")[0]! });
    expect(page.status).toBe(200);
    expect(page.headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; script-src 'sha256-\S+'; style-src 'sha256-\S+'; base-uri 'none'; form-action 'none'; connect-src 'self'; img-src 'self'; frame-ancestors 'none'$/,
    );
    expect(Object.fromEntries(page.headers)).toMatchObject({
      "cache-control": "no-store",
      "cross-origin-resource-policy": "same-origin",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
    });
    expect(await page.text()).not.toContain(live.token);
  });

  it.each<[what: string, path: string, headers: Record<string, string>, says: RegExp]>([
    ["no token", "/", {}, /there is no token; open the address that the command printed/],
    ["another token", "/?token=x", {}, /the token is not that of this server/],
    ["another cookie", "/events", { cookie: "kto-00000000=x" }, /there is no token/],
    ["a name that points here", "/?token=TOKEN", { host: "attacker.example:6006" }, /its Host .*got "attacker.example:6006"/],
    ["no host", "/?token=TOKEN", { host: "" }, /its Host/],
    ["another origin", "/events?token=TOKEN", { origin: "https://attacker.example" }, /from a page of another origin/],
    ["another port", "/events?token=TOKEN", { origin: "http://127.0.0.1:8000" }, /from a page of another origin/],
    ["an origin that is hidden", "/events?token=TOKEN", { origin: "null" }, /from a page of another origin/],
    ["a script of another site", "/events?token=TOKEN", { "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors" }, /another site/],
  ])("not with %s", async (_what, path, headers, says) => {
    const answer = await asked(path.replace("TOKEN", live.token), headers);
    expect(answer.status).toBe(403);
    expect(await answer.text()).toMatch(says);
  });

  it("not to act, without the token or from elsewhere", async () => {
    for (const headers of [
      {},
      { ...bearer(), origin: "https://attacker.example" },
      { ...bearer(), "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
    ])
      expect((await asked("/stop", headers, "POST")).status).toBe(403);
    expect((await asked("/stop", bearer())).status).toBe(404); // as a GET
    expect(acts).toEqual([]);
  });

  it("from a page of localhost, and from a link", async () => {
    const local = { ...bearer(), host: "localhost:9000", origin: "http://localhost:9000", "sec-fetch-site": "same-origin" };
    expect((await asked("/pause", local, "POST")).status).toBe(204);
    expect((await asked("/", { ...bearer(), "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" })).status).toBe(200);
    expect(acts).toEqual(["pause"]);
  });
});

describe("actions", () => {
  it("are those of the run; what goes wrong is told", async () => {
    for (const action of ["pause", "resume", "stop"]) expect((await asked(`/${action}`, bearer(), "POST")).status).toBe(204);
    expect(acts).toEqual(["pause", "resume", "stop"]);
    const failed = await asked("/save", bearer(), "POST");
    expect([failed.status, await failed.text()]).toEqual([500, "the disk is full\n"]);
  });

  it("are none where the run is of another process, or has ended", async () => {
    runs = [{ name: "outputs", folder, status: () => status }];
    const answer = await asked("/pause", bearer(), "POST");
    expect([answer.status, await answer.text()]).toEqual([409, "pause: the run is of another process, and can only be looked at\n"]);
  });
});

describe("events", () => {
  it("tell a run whole, and then its new rows alone, once each", async () => {
    await folder.write("metrics.jsonl", row(1) + row(2));
    const events = eventsOf();
    expect((await nextOf(events, "run")).run).toMatchObject({ name: "outputs", lastStep: 2, isFinished: false });
    await folder.append("metrics.jsonl", row(3, null));
    await folder.append("metrics.jsonl", '{"step": 4, "lo');
    expect((await nextOf(events, "rows")).records.map(({ step, loss }) => [step, loss])).toEqual([[3, null]]);
    await folder.append("metrics.jsonl", 'ss": 0.25}\n');
    expect((await nextOf(events, "rows")).records).toEqual([{ step: 4, loss: 0.25 }]);
    await folder.write("train_results.json", '{"train_loss": 0.5}');
    expect((await nextOf(events, "facts")).facts).toMatchObject({ isFinished: true, results: { train_loss: 0.5 } });
    await events.return(undefined);
  });

  it("tell it whole again where its log was cut back or begun anew", async () => {
    await folder.write("metrics.jsonl", row(1) + row(2) + row(3));
    const events = eventsOf();
    await nextOf(events, "run");
    await folder.write("metrics.jsonl", row(1) + row(2) + row(3) + row(4) + row(5)); // longer, and another
    expect((await nextOf(events, "run")).run.lastStep).toBe(5);
    await folder.write("metrics.jsonl", row(1));
    expect((await nextOf(events, "run")).run.lastStep).toBe(1);
    await folder.remove("metrics.jsonl");
    expect((await nextOf(events, "run")).run.lastStep).toBe(0);
    await events.return(undefined);
  });

  it("of 100,000 steps are the page's points, then a row", async () => {
    await folder.write("metrics.jsonl", Array.from({ length: 100_000 }, (_, index) => row(index + 1)).join(""));
    const events = eventsOf();
    const { run } = await nextOf(events, "run");
    expect([run.lastStep, run.series[0]!.values.length]).toEqual([100_000, 2000]);
    await folder.append("metrics.jsonl", row(100_001));
    expect(JSON.stringify(await nextOf(events, "rows")).length).toBeLessThan(200);
    await events.return(undefined);
  });

  it("say how far a run is: by its status, else by log and config; and that its last line is cut when its process is gone", async () => {
    await folder.write("metrics.jsonl", '{"step": 5, "epoch": 0.5, "loss": 1, "step_time_ms": 100}\n{"st');
    await folder.write("resolved_config.yaml", "num_train_epochs: 3\nmax_steps: -1\n");
    const events = eventsOf();
    expect((await nextOf(events, "run")).run.problems).toEqual([]);
    expect((await nextOf(events, "status")).status).toEqual({ state: "training", step: 5, totalUpdates: 30, secondsLeft: 2.5 });
    status = { state: "interrupted", totalUpdates: 40 };
    live.wake();
    expect((await nextOf(events, "facts")).facts.problems).toEqual(["metrics.jsonl: the last line is cut off and was left out"]);
    expect((await nextOf(events, "status")).status).toMatchObject({ state: "interrupted", totalUpdates: 40 });
    await events.return(undefined);
  });

  it("end with what there is to tell, and say so where the run was this process's", async () => {
    await folder.write("metrics.jsonl", row(1));
    const events = eventsOf();
    await nextOf(events, "status");
    await folder.append("metrics.jsonl", row(2));
    status = { state: "finished" };
    live.close();
    const last: string[] = [];
    for await (const { type } of events) last.push(type);
    expect(last).toEqual(["rows", "status", "end"]);
    expect((await asked("/pause", bearer(), "POST")).status).toBe(409);
  });

  it("are none of a run that there is not", async () => {
    const events = eventsOf("nowhere");
    live.close();
    expect((await events.next()).value).toEqual({ type: "end" });
  });
});
