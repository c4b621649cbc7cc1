import { type ByteSource, excerpt, FormatError } from "@kto/core";
import { readBytes } from "../source.js";
import { type Fail, failing, unreadable } from "./damage.js";
import { readSchemaElement, type SchemaElement } from "./schema.js";
import { ThriftReader } from "./thrift.js";

/** What the footer says of the column chunk of a row group. */
export interface ChunkInfo {
  readonly physicalType: number;
  readonly codec: number;
  readonly numValues: number;
  /** Where its pages lie in the file. */
  readonly start: number;
  readonly end: number;
}

export interface RowGroupInfo {
  readonly numRows: number;
  /** One for each leaf of the schema, in its order. */
  readonly chunks: readonly ChunkInfo[];
}

export interface Footer {
  readonly schema: readonly SchemaElement[];
  readonly rowGroups: readonly RowGroupInfo[];
}

/** Bytes at the end of the file that are read first: most footers fit. */
const FIRST_READ = 2 ** 16;

/** Column chunks of all row groups together: a table of a thousand columns in a thousand groups, and two hundred MB of memory at most. */
const MAX_CHUNKS = 2 ** 20;

/** Elements of a schema: tables of tool calls with a column for every argument have some thousands. */
const MAX_SCHEMA_ELEMENTS = 2 ** 16;

/** The footer of a Parquet file. Throws `FormatError`, which says whether the file is none, cut off, encrypted or damaged. */
export async function readFooter(source: ByteSource, name: string): Promise<Footer> {
  const { byteLength } = source;
  const start = Math.max(0, byteLength - FIRST_READ);
  const tail = await readBytes(source, start, byteLength, name);
  if (tail.length < 12 || magicAt(tail, tail.length - 4) !== "PAR1") throw await notParquet(source, tail, name);
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(tail.length - 8, true);
  const fail = failing(name, "the footer");
  if (length === 0 || length > byteLength - 12) fail(`it says that it has ${length} bytes, in a file of ${byteLength}`);
  const end = byteLength - 8;
  const bytes = end - length >= start ? tail.subarray(end - length - start, end - start) : await readBytes(source, end - length, end, name);
  return parseFooter(bytes, byteLength, name, fail);
}

/** `PAR1` begins and ends a Parquet file, `PARE` one whose footer is encrypted. */
async function notParquet(source: ByteSource, tail: Uint8Array, name: string): Promise<FormatError> {
  const { byteLength } = source;
  const head = magicAt(await readBytes(source, 0, Math.min(4, byteLength), name), 0);
  if (head === "PARE" || magicAt(tail, tail.length - 4) === "PARE") {
    return unreadable(name, "a Parquet file without encryption", "one whose footer is encrypted", "write it without encryption");
  }
  if (head === "PAR1") {
    return new FormatError(
      `readParquet: ${name} is cut off; expected a Parquet file, which ends with PAR1, got one of ${byteLength} bytes that begins so and ends otherwise; download it or write it again`,
      { source: name },
    );
  }
  return new FormatError(
    `readParquet: ${name} is not a Parquet file; expected one that begins and ends with PAR1, got another of ${byteLength} bytes; check that it is the file you mean, and download it again if it is`,
    { source: name },
  );
}

function magicAt(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(Math.max(0, offset), offset + 4));
}

function parseFooter(bytes: Uint8Array, byteLength: number, name: string, fail: Fail): Footer {
  const reader = new ThriftReader(bytes, fail);
  const schema: SchemaElement[] = [];
  const rowGroups: RowGroupInfo[] = [];
  const chunkReader = new ChunkReader(reader, name, fail);
  reader.struct((field, type) => {
    if (field === 2) {
      return reader.list(type, (element) => {
        if (schema.length === MAX_SCHEMA_ELEMENTS) fail(`the schema has more than ${MAX_SCHEMA_ELEMENTS} elements`);
        schema.push(readSchemaElement(reader, element, fail));
      });
    }
    if (field === 4) return reader.list(type, (element) => void rowGroups.push(readRowGroup(chunkReader, element, fail)));
    return false;
  });
  if (schema.length === 0) fail("it has no schema");
  expectPlaces(rowGroups, byteLength, fail);
  return { schema, rowGroups };
}

/** Chunks lie in the file, and together they are no larger than it: bytes are never shared. */
function expectPlaces(rowGroups: readonly RowGroupInfo[], byteLength: number, fail: Fail): void {
  let total = 0;
  for (const [group, { chunks }] of rowGroups.entries()) {
    for (const [column, { start, end }] of chunks.entries()) {
      if (start < 4 || end < start || end > byteLength) {
        fail(`column ${column} of row group ${group} lies at bytes ${start} to ${end}, in a file of ${byteLength}`);
      }
      total += end - start;
    }
  }
  if (total > byteLength) fail(`the columns have ${total} bytes together, in a file of ${byteLength}`);
}

function readRowGroup(chunkReader: ChunkReader, type: number, fail: Fail): RowGroupInfo {
  const { reader } = chunkReader;
  const chunks: ChunkInfo[] = [];
  let numRows: number | undefined;
  reader.nested(type, (field, fieldType) => {
    if (field === 1) return reader.list(fieldType, (element) => void chunks.push(chunkReader.read(element)));
    if (field !== 3) return false;
    numRows = reader.integer(fieldType);
    return true;
  });
  if (numRows === undefined || numRows < 0) return fail(`a row group has ${numRows ?? "no number of"} rows`);
  return { numRows, chunks };
}

/** Reads what the footer says of column chunks. */
class ChunkReader {
  readonly reader: ThriftReader;
  readonly #name: string;
  readonly #fail: Fail;
  #count = 0;

  constructor(reader: ThriftReader, name: string, fail: Fail) {
    this.reader = reader;
    this.#name = name;
    this.#fail = fail;
  }

  read(type: number): ChunkInfo {
    if (++this.#count > MAX_CHUNKS) this.#fail(`there are more than ${MAX_CHUNKS} column chunks`);
    let chunk: ChunkInfo | undefined;
    let isEncrypted = false;
    let file = "";
    this.reader.nested(type, (field, fieldType) => {
      if (field === 1) file = this.reader.text(fieldType);
      else if (field === 3) chunk = this.#metadata(fieldType);
      else {
        isEncrypted ||= field === 8 || field === 9;
        return false;
      }
      return true;
    });
    if (file !== "")
      throw unreadable(this.#name, "columns in the file itself", `one in the file ${excerpt(file)}`, "write all columns into one file");
    if (isEncrypted)
      throw unreadable(this.#name, "a Parquet file without encryption", "one with an encrypted column", "write it without encryption");
    return chunk ?? this.#fail("a column has no metadata");
  }

  #metadata(type: number): ChunkInfo {
    const values = new Map<number, number>();
    this.reader.nested(type, (field, fieldType) => {
      if (![1, 4, 5, 7, 9, 11].includes(field)) return false;
      values.set(field, this.reader.integer(fieldType));
      return true;
    });
    const get = (field: number, what: string): number => {
      const value = values.get(field);
      return value !== undefined && value >= 0 ? value : this.#fail(`a column has ${value ?? "no"} ${what}`);
    };
    const start = values.get(11) || get(9, "place of its pages"); // a place of 0 for the dictionary says that there is none
    return {
      physicalType: get(1, "type"),
      codec: get(4, "compression"),
      numValues: get(5, "number of values"),
      start,
      end: start + get(7, "size"),
    };
  }
}
