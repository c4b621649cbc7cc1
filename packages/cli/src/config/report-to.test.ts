import { describe, expect, it } from "vitest";
import { reportsTo, reportToMistakes } from "./report-to.js";

describe("report_to", () => {
  it.each<[given: string | string[] | null, places: string[]]>([
    [null, []],
    ["none", []],
    [["none"], []],
    ["all", ["tensorboard"]],
    [["tensorboard", "tensorboard"], ["tensorboard"]],
  ])("%j means %j", (given, places) => {
    expect(reportToMistakes(given)).toEqual([]);
    expect(reportsTo(given)).toEqual(places);
  });

  it.each<[given: string | string[], problem: string, got: string, advice: RegExp | undefined]>([
    ["wandb", "nothing is written for wandb here", "wandb", /set \{reportTo\}: tensorboard, or log metrics.jsonl with wandb's own library/],
    [["tensorboard", "mlflow"], "nothing is written for mlflow here", "mlflow", /tensorboard/],
    ["tensorbord", "not usable", '"tensorbord"', /did you mean tensorboard\?/],
    ["smoke-signals", "not usable", '"smoke-signals"', undefined],
    [["none", "tensorboard"], "none stands beside others", "none, tensorboard", /give none alone/],
    [["all", "wandb"], "all stands beside others", "all, wandb", /give all alone/],
  ])("%j is refused", (given, problem, got, advice) => {
    const [mistake, ...others] = reportToMistakes(given);
    expect(others).toEqual([]);
    expect(mistake).toMatchObject({ field: "reportTo", problem, expected: "none, all or tensorboard", got });
    if (advice) expect(mistake!.advice).toMatch(advice);
    else expect(mistake!.advice).toBeUndefined();
  });
});
