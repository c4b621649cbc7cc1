import { excerpt, nearestName } from "@kto/core";
import type { RuleMistake } from "@kto/core/config";

/** What `report_to` names beside `none` and `all`. */
const written = ["tensorboard"] as const;

/** Services of transformers that nothing is written for here. */
const others = [
  "azure_ml",
  "clearml",
  "codecarbon",
  "comet_ml",
  "dagshub",
  "dvclive",
  "flyte",
  "kubeflow",
  "mlflow",
  "neptune",
  "swanlab",
  "trackio",
  "wandb",
];

/** Where a run reports to, besides its own files. */
export function reportsTo(given: string | readonly string[] | null): readonly string[] {
  const names = given === null ? [] : [given].flat();
  return names.includes("all") ? written : [...new Set(names)].filter((name) => name !== "none");
}

/** What is wrong with `report_to`: a name that is none, a service that nothing is written for, or a word for all or nothing beside others. */
export function reportToMistakes(given: string | readonly string[] | null): RuleMistake[] {
  const names = given === null ? [] : [given].flat();
  const mistake = (problem: string, got: string, advice?: string): RuleMistake[] => [
    { field: "reportTo", problem, expected: `none, all or ${written.join(" or ")}`, got, advice },
  ];
  const alone = names.find((name) => (name === "none" || name === "all") && names.length > 1);
  if (alone !== undefined) return mistake(`${alone} stands beside others`, names.join(", "), `give ${alone} alone, or leave it out`);
  return names.flatMap((name): RuleMistake[] => {
    if (name === "none" || name === "all" || (written as readonly string[]).includes(name)) return [];
    if (others.includes(name))
      return mistake(
        `nothing is written for ${name} here`,
        name,
        `set {reportTo}: tensorboard, or log metrics.jsonl with ${name}'s own library: it holds every number`,
      );
    const near = nearestName(name, ["none", "all", ...written, ...others]);
    return mistake("not usable", excerpt(name), near === undefined ? undefined : `did you mean ${near}?`);
  });
}
