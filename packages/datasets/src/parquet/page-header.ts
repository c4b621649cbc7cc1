import { type Fail, tooLarge } from "./damage.js";
import { ThriftReader } from "./thrift.js";

/** Kinds of page. */
export const PAGE = { data: 0, index: 1, dictionary: 2, dataV2: 3 } as const;

/** Encodings of values. */
export const ENCODING = {
  plain: 0,
  plainDictionary: 2,
  rle: 3,
  deltaInteger: 5,
  deltaLength: 6,
  deltaBytes: 7,
  dictionary: 8,
  split: 9,
} as const;

/** The most bytes of a page, unpacked. Writers aim at one MiB; a thousand texts of 90 kB each still fit. */
const MAX_PAGE_BYTES = 96 * 2 ** 20;

/** The most values of a page: a MiB of booleans, twice. */
const MAX_PAGE_VALUES = 2 ** 24;

/** What the header of a page says. */
export interface PageHeader {
  readonly kind: number;
  readonly unpackedSize: number;
  readonly packedSize: number;
  /** Values, nulls included; of a dictionary its entries. */
  readonly numValues: number;
  readonly encoding: number;
  /** Encoding of the levels of a page of the first version. */
  readonly levelEncoding: number;
  /** Where the levels of a page of the second version end, which are never packed. */
  readonly repetitionBytes: number;
  readonly definitionBytes: number;
  /** False for values that are not packed although the column is. */
  readonly isPacked: boolean;
}

/** Throws `FormatError` for a page that is larger than any is written. */
export function expectPageSize({ unpackedSize, numValues }: PageHeader, name: string, where: string): void {
  const advice = "write it with smaller pages (data_page_size)";
  if (unpackedSize > MAX_PAGE_BYTES)
    throw tooLarge(name, where, `pages of ${MAX_PAGE_BYTES} bytes at most, unpacked`, `${unpackedSize}`, advice);
  if (numValues > MAX_PAGE_VALUES) throw tooLarge(name, where, `pages of ${MAX_PAGE_VALUES} values at most`, `${numValues}`, advice);
}

/** The header of the page at `offset`, and where the page itself begins. Calls `fail` for sizes that cannot be. */
export function readPageHeader(bytes: Uint8Array, offset: number, fail: Fail): { header: PageHeader; bodyStart: number } {
  const reader = new ThriftReader(bytes, fail, offset);
  const numbers = new Map<number, number>();
  const inner = new Map<number, number>();
  let kindOfInner: number | undefined;
  let isPacked = true;
  reader.struct((field, type) => {
    if (field <= 3) numbers.set(field, reader.integer(type));
    else if (field === 5 || field === 7 || field === 8) {
      kindOfInner = field;
      return reader.nested(type, (innerField, innerType) => {
        if (innerType >= 3 && innerType <= 6) inner.set(innerField, reader.integer(innerType));
        else if (field === 8 && innerField === 7) isPacked = reader.boolean(innerType);
        else return false;
        return true;
      });
    } else return false;
    return true;
  });
  const kind = numbers.get(1) ?? fail("the kind of a page is missing");
  if (kind !== PAGE.index && kindOfInner !== [5, undefined, 7, 8][kind]) fail(`a page of kind ${kind} has another header`);
  const count = (values: Map<number, number>, field: number, what: string, most: number): number => {
    const value = values.get(field) ?? 0;
    return value >= 0 && value <= most ? value : fail(`a page has ${value} ${what}, where 0 to ${most} are expected`);
  };
  const unpackedSize = count(numbers, 2, "bytes unpacked", Infinity);
  const packedSize = count(numbers, 3, "bytes", bytes.length - reader.offset);
  const isV2 = kind === PAGE.dataV2;
  const header = {
    kind,
    unpackedSize,
    packedSize,
    numValues: count(inner, 1, "values", Infinity),
    encoding: inner.get(isV2 ? 4 : 2) ?? ENCODING.plain,
    levelEncoding: inner.get(3) ?? ENCODING.rle,
    definitionBytes: isV2 ? count(inner, 5, "bytes of definition levels", packedSize) : 0,
    repetitionBytes: isV2 ? count(inner, 6, "bytes of repetition levels", packedSize) : 0,
    isPacked,
  };
  if (header.definitionBytes + header.repetitionBytes > Math.min(packedSize, unpackedSize))
    fail("the levels of a page are longer than itself");
  return { header, bodyStart: reader.offset };
}
