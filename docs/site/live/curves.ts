import type { LogRecord } from "@kto/trainer";
// oxlint-disable-next-line import/no-unassigned-import -- a style sheet has nothing to give
import "uplot/dist/uPlot.min.css";
import { Curves } from "../../../packages/report/page/curves.js";
import { pageData } from "../../../packages/report/src/page-data.js";

/** The curves of a run, as its report draws them. */
export interface LiveCurves {
  /** Shows these records, at once or within `pauseMs`. */
  show(records: readonly LogRecord[]): void;
  /** Draws it anew, in the colours that are set now and as wide as it lies. */
  draw(): void;
  end(): void;
}

const shownMetrics = ["loss", "rewards/chosen", "rewards/rejected", "rewards/margins"];

/** Time between two drawings, so that a GPU that trains fast does not keep the page busy. */
const pauseMs = 200;

/** Curves of the loss, the rewards and their margins in an element of the page. */
export function liveCurves(place: HTMLElement): LiveCurves {
  const curves = new Curves();
  place.append(curves.section);
  let waiting: readonly LogRecord[] | undefined;
  let timer: number | undefined;
  const show = (): void => {
    timer = undefined;
    if (!waiting) return;
    const records = waiting.map(curvesOf);
    waiting = undefined;
    curves.show(pageData([{ name: "run", isFinished: false, records, evaluations: [], config: [], samples: [], problems: [] }]));
    timer = window.setTimeout(show, pauseMs);
  };
  let { clientWidth } = place;
  const observer = new ResizeObserver(() => {
    if (place.clientWidth === clientWidth) return;
    ({ clientWidth } = place);
    curves.draw();
  });
  observer.observe(place);
  return {
    show(records) {
      waiting = records;
      if (timer === undefined) show();
    },
    draw: () => curves.draw(),
    end() {
      observer.disconnect();
      window.clearTimeout(timer);
    },
  };
}

function curvesOf(record: LogRecord): Record<string, number | null> {
  const shown = shownMetrics.filter((name) => name in record).map((name) => [name, record[name]!]);
  return Object.fromEntries([["step", record["step"]!], ...shown]) as Record<string, number | null>;
}
