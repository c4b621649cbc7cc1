import { DataFileError, describeNote, readJson } from "@kto/datasets";
import { describeBalance, prepareKtoDataset, type PreparedKtoDataset } from "@kto/trainer";
import type { Tokenizer } from "@kto/tokenizer";
import { watched } from "./known-characters.js";
import type { DataFacts } from "./messages.js";
import { trainingArgs, type LiveSettings } from "./settings.js";

/** The largest file that the page takes: it is held in memory, and kept among the browser's files for a reload. */
export const mostFileBytes = 16 * 2 ** 20;

/** Rows for the trainer, with what is known of them. */
export interface LiveRows {
  prepared: PreparedKtoDataset;
  facts: DataFacts;
}

/**
 * Reads and tokenises a file of rows, JSON Lines or one array.
 *
 * @throws DataFileError for one that is empty or too large; FormatError with the line for what is no JSON; RowError for rows that are of no layout that KTO takes;
 *   DataPreparationError for words, of which the model has no token
 */
export async function readLiveData(file: File, tokenizer: Tokenizer, settings: LiveSettings): Promise<LiveRows> {
  if (file.size > mostFileBytes)
    throw new DataFileError(
      `data: ${file.name} is too large for this page; expected at most ${mostFileBytes / 2 ** 20} MiB, got ${Math.ceil(file.size / 2 ** 20)} MiB; kto train reads files of any size`,
      { file: file.name },
    );
  const dataset = await readJson(file, { name: file.name });
  const { maxLength, perDeviceTrainBatchSize, desirableWeight } = trainingArgs(settings);
  const { tokenizer: watching, expectKnown } = watched(tokenizer);
  const preparing = prepareKtoDataset(dataset, {
    tokenizer: watching,
    maxLength: maxLength!,
    perDeviceTrainBatchSize: perDeviceTrainBatchSize!,
    desirableWeight: desirableWeight!,
  });
  await preparing.catch(expectKnown); // that is why rows have nothing to train on
  const prepared = await preparing;
  expectKnown();
  const { rows, dropped, notes, classBalance } = prepared;
  const balance = describeBalance(classBalance);
  const facts = {
    name: file.name,
    rows: rows.length,
    desirable: classBalance.desirable,
    dropped: dropped.length,
    notes: [...notes.map(describeNote), ...(balance === undefined ? [] : [balance])],
  };
  return { prepared, facts };
}
