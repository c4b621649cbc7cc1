import { excerpt } from "@kto/core";
import { Dataset, interleaveDatasets, type DataRow } from "@kto/datasets";
import { hasSplits } from "@kto/kit/node";
import type { DatasetPart } from "../config/model-fields.js";
import { sharedFields, type TrainValues } from "../config/train-fields.js";
import { ConfigError } from "../errors.js";
import { withColumns } from "./columns.js";
import type { HubAccess } from "./hub-access.js";
import { openData, openDataFile, type DataChoice } from "./inputs.js";

/** Who is told of what is left out, and where the indexes of large files are kept. */
export interface ReadingData extends Pick<DataChoice, "rowIndex"> {
  onNote(note: string): void;
}

/** The rows to train on: of a file, of a data set, or of several, with the columns under the names that are read. */
export async function openTrainData(values: TrainValues, hub: HubAccess, reading: ReadingData): Promise<Dataset<DataRow>> {
  const { onNote } = reading;
  const { trainFile: file, datasetName: name, datasets: parts, maxTrainSamples: maxRows } = values;
  const dataset = parts
    ? await openParts(parts, values, hub, reading)
    : withColumns(
        await openOne(file, name, { ...choiceOf("datasetTrainSplit", file ?? name!, values), maxRows, ...reading }, hub),
        values,
        onNote,
      );
  if (maxRows === null) return dataset;
  if (dataset.length < maxRows) onNote(`max_train_samples: ${maxRows} rows are asked for, and the data has ${dataset.length}`);
  return dataset.take(maxRows);
}

/** What is evaluated on, if anything: the file named for it, else that split of the data set. */
export async function openEvalData(values: TrainValues, hub: HubAccess, reading: ReadingData): Promise<Dataset<DataRow> | undefined> {
  const { evalFile: file, datasetName: name, evalStrategy: strategy } = values;
  if (strategy === "no") return undefined;
  return withColumns(
    await openOne(file, name, { ...choiceOf("datasetTestSplit", file ?? name!, values), ...reading }, hub),
    values,
    reading.onNote,
  );
}

function openOne(file: string | null, name: string | null, choice: DataChoice, hub: HubAccess): Promise<Dataset<DataRow>> {
  return file === null ? openData(name!, hub, choice) : openDataFile(file, hub, choice);
}

/** The rows of `datasets`: one part after the other, or mixed by their weights. Each keeps its layout. Throws ConfigError for parts without rows. */
async function openParts(
  parts: readonly DatasetPart[],
  values: TrainValues,
  hub: HubAccess,
  reading: ReadingData,
): Promise<Dataset<DataRow>> {
  const { onNote } = reading;
  const opened: Dataset<DataRow>[] = [];
  for (const { path, name, split } of parts) {
    const choice = {
      config: name ?? values.datasetConfig,
      split: split ?? (hasSplits(path) ? values.datasetTrainSplit : null), // a single file has none
      ...reading,
    };
    opened.push(withColumns(await openData(path, hub, choice), values, onNote));
  }
  const mistakes = partMistakes(parts, opened);
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  const names = parts.map(({ path }, index) => `datasets[${index}] ${excerpt(path)}`);
  const weights = parts.flatMap(({ weight }) => weight ?? []);
  const whole =
    weights.length > 0
      ? interleaveDatasets(opened, { probabilities: weights, names, seed: values.seed })
      : Dataset.concatenate(opened, { names });
  const counts = opened.map(({ length }) => length).join(" + ");
  onNote(
    weights.length > 0
      ? `datasets: ${whole.length} rows, drawn from ${counts} by weight until the first part was through`
      : `datasets: ${counts} rows, one part after the other`,
  );
  return whole;
}

function partMistakes(parts: readonly DatasetPart[], opened: readonly Dataset<DataRow>[]): string[] {
  return parts.flatMap(({ path }, index) =>
    opened[index]!.length > 0 ? [] : [`datasets[${index}]: ${excerpt(path)} has no rows; expected at least one, got none; leave it out`],
  );
}

/** The split and configuration of a data set. Of a single file only what was asked for by name, so that it is refused. */
function choiceOf(field: "datasetTrainSplit" | "datasetTestSplit", place: string, values: TrainValues): DataChoice {
  const { [field]: split, datasetConfig: config } = values;
  return hasSplits(place) || split !== sharedFields[field].initial ? { split, config } : { config };
}
