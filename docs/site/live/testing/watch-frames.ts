import type { Browser, Page } from "@kto/testing/browser";

/** How responsive a page was. */
export interface Responsiveness {
  /** Milliseconds between its frames, as they were drawn: what else the machine does is in them. */
  frames: number[];
  /** Most milliseconds of processor time that the page's own thread spent on one thing. */
  longestTask: number;
}

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  /** Microseconds of processor time. */
  tdur?: number;
  args: { name?: string };
}

/** Notes the times between frames, from now on. */
const watchFrames = `{
  globalThis.frames = [];
  let last = performance.now();
  requestAnimationFrame(function tick(now) {
    frames.push(now - last);
    last = now;
    requestAnimationFrame(tick);
  });
}`;

/** How responsive a page is while something goes on in it. */
export async function watchPage(browser: Browser, page: Page, goOn: () => Promise<void>): Promise<Responsiveness> {
  await browser.startTracing(page, { categories: ["disabled-by-default-devtools.timeline", "__metadata"] });
  await page.evaluate(watchFrames);
  await goOn();
  const frames = await page.evaluate<number[]>("frames");
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
  const threadOf = ({ pid, tid }: TraceEvent): string => `${pid}:${tid}`;
  const pageThreads = new Set(traceEvents.filter(({ args, ph }) => ph === "M" && args.name === "CrRendererMain").map(threadOf));
  const tasks = traceEvents.filter((event) => event.name === "RunTask" && pageThreads.has(threadOf(event)));
  if (tasks.length === 0) throw new Error("the trace has no task of the page");
  return { frames, longestTask: Math.max(...tasks.map(({ tdur = 0 }) => tdur)) / 1000 };
}
