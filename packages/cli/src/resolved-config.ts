import { resolve } from "node:path";
import { diskName } from "@kto/core/config";
import { dump } from "js-yaml";
import { fieldsOf, type TrainValues } from "./config/train-fields.js";
import { methodNamed } from "./methods/index.js";
import { hasSplits, isHubId } from "@kto/kit/node";
import { versions } from "./versions.js";

/**
 * `resolved_config.yaml`: every field of its method with the value used, paths absolute and names on the hub as they were given, the versions, and the commits that
 * were read from the hub. A run from it does the same.
 */
export function formatResolvedConfig(
  values: TrainValues,
  dtype: "float16" | "float32",
  commits: ReadonlyMap<string, string> = new Map(),
): string {
  const { trainFile, datasetName: dataset } = values;
  const used: TrainValues = {
    ...values,
    modelNameOrPath: absolute(values.modelNameOrPath),
    adapterNameOrPath: absolute(values.adapterNameOrPath),
    trainFile: absolute(trainFile ?? (dataset !== null && !hasSplits(dataset) ? dataset : null)),
    datasetName: dataset !== null && hasSplits(dataset) ? absolute(dataset) : null,
    datasets: values.datasets?.map((part) => ({ ...part, path: absolute(part.path) })) ?? null,
    evalFile: absolute(values.evalFile),
    outputDir: resolve(values.outputDir),
    loggingDir: values.loggingDir === null ? null : resolve(values.loggingDir),
    dtype,
    resumeFromCheckpoint: null,
    overwriteOutputDir: false,
    hubToken: null, // a secret, and no part of what a run does
  };
  const onDisk = Object.entries(fieldsOf(methodNamed(values.method))).flatMap(([name, field]) => {
    const spelling = diskName(name, field);
    return spelling === undefined ? [] : [[spelling, (used as Record<string, unknown>)[name]] as const];
  });
  const record = {
    ...Object.fromEntries(onDisk),
    versions: versions(),
    ...(commits.size > 0 ? { commits: Object.fromEntries(commits) } : {}),
  };
  return dump(record, { lineWidth: -1, noRefs: true }); // 5.e-7, which Python reads as a number too
}

function absolute<Place extends string | null>(place: Place): Place | string {
  return place === null || isHubId(place) ? place : resolve(place);
}
