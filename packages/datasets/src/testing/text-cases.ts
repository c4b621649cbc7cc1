import { gzipSync } from "node:zlib";
import type { DataCase } from "./data-case.js";

const answers = ["plum", "brick", "pear", "lamp"];
const row = (index: number, more = ""): string =>
  `{"prompt": "Name fruit ${index}:", "completion": " ${answers[index]}", "label": ${index % 2 === 0}${more}}`;
const rows = (...mores: string[]): string[] => answers.map((_, index) => row(index, mores[index % Math.max(mores.length, 1)]));
const lines = (...mores: string[]): string => `${rows(...mores).join("\n")}\n`;
const cells = answers.map((answer, index) => ["Name fruit " + index, ` ${answer}`, index % 2 === 0 ? "True" : "False"]);
const table = (separator = ","): string => [["prompt", "completion", "label"], ...cells].map((line) => line.join(separator)).join("\n");
const tableWith = (header: string, more: (line: string, index: number) => string): string =>
  [header, ...cells.map((line, index) => more(line.join(","), index))].join("\n");
const utf16 = (text: string, mark: boolean, isBigEndian = false): Uint8Array => {
  const bytes = Buffer.from(`${mark ? "\uFEFF" : ""}${text}`, "utf16le");
  return Uint8Array.from(isBigEndian ? bytes.swap16() : bytes);
};
const bytes = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, "base64"));
const latin1 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));

const read = (count = 4): DataCase["outcome"] => ({ status: 0, rows: count });
const refused = (...says: RegExp[]): DataCase["outcome"] => ({ status: 2, says });

/** What `zstd -19`, `bzip2` and `xz` make of the rows as JSON Lines and as CSV. */
export const compressed = {
  "rows.jsonl.zst":
    "KLUv/WQLAP0CAGJFERGgb0VKzhtLJ2sg+YYIUr81PP+QF4nWk+mIOdVkGuCuKimb9pWQN4d+1Z+bTcPY6PJ/UTWHNoJpq5Lxeug0m6b/ovy2AQgACJMQ0FfCQAT0PcImRuAUaCYUdYgCuk43XA==",
  "rows.jsonl.bz2":
    "QlpoOTFBWSZTWWhPeHoAAIHdgAAQUAR4EAABOy/eCiAAlIKqaUNk1GTT1NGjAVUp6mDQmANE9KEhWPCz6zIwitPhPfnuZImXEKFhMglpe9+pQ2ak/Xwt+oaF9ipvxEVS19nQ3yO5hYyRhOTglQxMzOsEYkS3K8xaGaRUZF7BCuhUei7kinChINCe8PQ=",
  "rows.csv.zst":
    "KLUv/SR/jQIAwkQPEKBvWPvuymLzai41zHX++KKgp/PZf+xFcj+ZzmfdalKNrjLtq/5hjQi0VclCP0bAW7EvjI22/4tr6b8oPwYAABBXzQSA6/NAAFxgbkIBFzBOMg==",
  "rows.csv.bz2":
    "QlpoOTFBWSZTWQqepJ0AADLfgAAQQAR4EAEBBAA7L94AIABgSppBgmnqaaGEKaNAGgADtQwGzQRkQrb27rSCaqvAoIL0UBtKys7OUTsK2i8PPHhect4TE3awyx0OZvRKNdzHBkOiAarIZr+LuSKcKEgFT1JOgA==",
  "rows.jsonl.xz":
    "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4AEKAGVdAD2Iigdj/CYmUFdTKTZZDWFmI/7FF4Cpcuht2g0tXlsmQ+9Rwr9FsBTWXP+JqiqMijpqb1uZzIKlsTkK4YzIEfiVXfDQWZLI0fYf6w9u55kVOhsF3KArID2hsXUf09sHLOBSBJ8AAAAAANejNFbaW34WAAGBAYsCAABE3wUSscRn+wIAAAAABFla",
};

/** JSON that is not JavaScript's (kind 2): it stands in columns that nobody reads, or is refused with line and column. */
export const jsonCases: readonly DataCase[] = [
  { name: "NaN as Python writes it", files: { "rows.jsonl": lines(', "rating": 4.0', ', "rating": NaN') }, outcome: read() },
  { name: "infinities, in lists", files: { "rows.jsonl": lines(', "range": [-Infinity, Infinity]') }, outcome: read() },
  {
    name: "integers past 2^53 and past 64 bits",
    files: { "rows.json": lines(', "id": 7310582941637725184', `, "id": ${"9".repeat(40)}`) },
    outcome: read(),
  },
  {
    name: "keys that JavaScript reorders",
    files: { "rows.jsonl": lines(', "scores": {"10": 1, "9": 2, "__proto__": 3}') },
    outcome: read(),
  },
  { name: "a column called __proto__", files: { "rows.jsonl": lines(', "__proto__": {"label": 1}') }, outcome: read() },
  { name: "keys that are repeated", files: { "rows.jsonl": lines(', "id": 1, "id": 2') }, outcome: read() },
  { name: "lone surrogates and odd line separators", files: { "rows.jsonl": lines(', "note": "\\ud800 \u2028"') }, outcome: read() },
  {
    name: "nan in lower case",
    files: { "rows.jsonl": lines("", ', "rating": nan') },
    outcome: refused(/line 2 of .*rows\.jsonl is not JSON/, /got nan\}/),
  },
  {
    name: "Python's quotes",
    files: { "rows.jsonl": "{'prompt': 'a', 'completion': 'b', 'label': True}\n" },
    outcome: refused(/line 1 of .*a key in double quotes at column 2/),
  },
  {
    name: "a comma too many",
    files: { "rows.jsonl": lines().replace("true}", "true,}") },
    outcome: refused(/line 1 of .* a key in double quotes/),
  },
  { name: "a comment", files: { "rows.json": `// rows\n${lines()}` }, outcome: refused(/line 1 of .* is not JSON/) },
  {
    name: "a line end in a text",
    files: { "rows.jsonl": `${row(0)}\n{"prompt": "a\nb"}\n` },
    outcome: refused(/line 2 of .* a closing double quote/),
  },
  {
    name: "20,000 brackets",
    files: { "rows.jsonl": `${row(0)}\n{"prompt": ${"[".repeat(20_000)}${"]".repeat(20_000)}}\n` },
    outcome: refused(/line 2 of .* nests too deeply; expected at most 500/),
  },
];

/** Files that are not what they are called (kind 3). */
export const contentCases: readonly DataCase[] = [
  { name: "an array in .jsonl", files: { "rows.jsonl": `[\n${rows().join(",\n")}\n]` }, outcome: read() },
  { name: "lines in .json", files: { "rows.json": lines() }, outcome: read() },
  {
    name: "rows over several lines in .jsonl",
    files: {
      "rows.jsonl": rows()
        .map((text) => JSON.stringify(JSON.parse(text), null, 2))
        .join("\n"),
    },
    outcome: read(),
  },
  { name: "rows without a line end between them", files: { "rows.jsonl": rows().join("") }, outcome: read() },
  { name: "JSON in .csv", files: { "rows.csv": lines() }, outcome: read() },
  { name: "JSON in .parquet", files: { "rows.parquet": lines() }, data: "rows.parquet", outcome: read() },
  { name: "CSV in .json", files: { "rows.json": table() }, outcome: read() },
  { name: "CSV in .txt", files: { "rows.txt": table() }, data: "rows.txt", outcome: read() },
  { name: "CSV with semicolons", files: { "rows.csv": table(";") }, outcome: read() },
  { name: "CSV with tabs", files: { "rows.csv": table("\t") }, outcome: read() },
  { name: "CSV with bars", files: { "rows.csv": table("|") }, outcome: read() },
  { name: "TSV with commas", files: { "rows.tsv": table() }, outcome: read() },
  { name: "CSV of Excel with its first line", files: { "rows.csv": `sep=;\r\n${table(";").replaceAll("\n", "\r\n")}` }, outcome: read() },
  { name: "CSV with ends of line of an old Mac", files: { "rows.csv": table().replaceAll("\n", "\r") }, outcome: read() },
  { name: "gzip", files: { "rows.jsonl.gz": gzipSync(lines()) }, outcome: read() },
  {
    name: "gzip of two parts under the name of its content",
    files: { "rows.jsonl": Buffer.concat(rows().map((text) => gzipSync(`${text}\n`))) },
    outcome: read(),
  },
  { name: "a CSV in gzip", files: { "rows.csv.gz": gzipSync(table()) }, outcome: read() },
  ...(["rows.jsonl.zst", "rows.jsonl.bz2", "rows.csv.zst", "rows.csv.bz2"] as const).map((name): DataCase => ({
    name,
    files: { [name]: bytes(compressed[name]) },
    data: name,
    outcome: read(),
  })),
  { name: "UTF-16 with its mark", files: { "rows.jsonl": utf16(lines(), true) }, outcome: read() },
  { name: "UTF-16 without a mark", files: { "rows.jsonl": utf16(lines(), false) }, outcome: read() },
  { name: "UTF-16 the other way round, CSV", files: { "rows.csv": utf16(table(), true, true) }, outcome: read() },
  {
    name: "UTF-8 with a mark, blank lines and CR LF",
    files: { "rows.jsonl": `\uFEFF\r\n${lines().replaceAll("\n", "\r\n\r\n  \r\n")}` },
    outcome: read(),
  },
  {
    name: "an object that holds the rows",
    files: { "rows.json": `{"data": [${rows().join(", ")}]}` },
    outcome: refused(/one object whose "data" holds the rows/, /a file of its own/),
  },
  {
    name: "an object of splits",
    files: { "rows.json": `{"train": [${row(0)}], "test": [${row(1)}]}` },
    outcome: refused(/"train" and "test" hold the rows/),
  },
  {
    name: "pandas' columns",
    files: { "rows.json": '{"prompt": {"0": "a", "1": "b"}, "completion": {"0": "c", "1": "d"}, "label": {"0": true, "1": false}}' },
    outcome: refused(/one object of columns/, /orient="records"/),
  },
  { name: "an array that is cut off", files: { "rows.json": `[${rows().join(", ")}` }, outcome: refused(/the array is never closed/) },
  {
    name: "an array that is cut off within a row",
    files: { "rows.json": `[\n${rows().join(",\n").slice(0, -20)}` },
    outcome: refused(/line 5 of .* got the end of the text/, /row 3/),
  },
  {
    name: "gzip that is cut off",
    files: { "rows.jsonl.gz": gzipSync(lines()).subarray(0, 60) },
    outcome: refused(/rows\.jsonl\.gz cannot be decompressed/, /written or fetched completely/),
  },
  { name: "gzip in gzip", files: { "rows.jsonl.gz": gzipSync(gzipSync(lines())) }, outcome: refused(/is compressed twice/) },
  {
    name: "a bomb",
    files: { "rows.jsonl.gz": gzipSync(Buffer.alloc(2 ** 27, "\n")) },
    outcome: refused(/becomes too large; expected at most 200 times/),
  },
  {
    name: "xz",
    files: { "rows.jsonl.xz": bytes(compressed["rows.jsonl.xz"]) },
    data: "rows.jsonl.xz",
    outcome: refused(/is compressed with xz/, /unxz/),
  },
  { name: "zip", files: { "rows.json": latin1("PK\x03\x04\x14\0\0\0") }, outcome: refused(/archive in zip format/, /unpack/) },
  { name: "7z", files: { "rows.csv": latin1("7z\xbc\xaf\x27\x1c\0\x04") }, outcome: refused(/7z archive/) },
  {
    name: "tar in gzip",
    files: { "rows.jsonl.gz": gzipSync(Buffer.concat([Buffer.alloc(257, "a"), Buffer.from("ustar\0"), Buffer.alloc(249)])) },
    outcome: refused(/tar archive/),
  },
  { name: "GGUF", files: { "rows.jsonl": latin1("GGUF\x03\0\0\0") }, outcome: refused(/a model in GGUF format/) },
  {
    name: "safetensors",
    files: { "rows.json": latin1('\x40\0\0\0\0\0\0\0{"__metadata__": {"format": "pt"}}') },
    outcome: refused(/safetensors/),
  },
  { name: "a pickle", files: { "rows.json": latin1("\x80\x04\x95\x10\0\0\0") }, outcome: refused(/Python pickle/) },
  { name: "SQLite", files: { "rows.csv": latin1("SQLite format 3\0\x10\0") }, outcome: refused(/SQLite/) },
  { name: "a PDF", files: { "rows.csv": latin1("%PDF-1.7\n%\xe2\xe3") }, outcome: refused(/a PDF/) },
  {
    name: "a pointer of Git LFS",
    files: { "rows.parquet": `version https://git-lfs.github.com/spec/v1\noid sha256:${"a".repeat(64)}\nsize 12345\n` },
    data: "rows.parquet",
    outcome: refused(/pointer of Git LFS/, /12345 bytes/, /git lfs pull/),
  },
  {
    name: "a page of HTML",
    files: { "rows.jsonl": "<!-- page -->\n<!DOCTYPE html>\n<html><body>Sign in</body></html>" },
    outcome: refused(/a page of HTML/, /\/resolve\//),
  },
  { name: "comments without an end", files: { "rows.jsonl": "<!-->\n".repeat(2000) }, outcome: refused(/line 1 of .* is not JSON/) },
  { name: "XML", files: { "rows.csv": '<?xml version="1.0"?><rows/>' }, outcome: refused(/XML/) },
  {
    name: "only the end of a Parquet file",
    files: { "rows.parquet": latin1("\0\0\0\0rest\x10\0\0\0PAR1") },
    data: "rows.parquet",
    outcome: refused(/ends like a Parquet file/),
  },
  {
    name: "Latin-1",
    files: { "rows.csv": latin1(`${table()}\nNa\xefve, plum,True\n`) },
    outcome: refused(/is not UTF-8 text/, /byte 0xEF at offset \d+ \(line 6\)/, /Latin-1/),
  },
  { name: "an empty file", files: { "rows.jsonl": "" }, outcome: refused(/rows\.jsonl is empty/) },
  { name: "a file of blank lines", files: { "rows.jsonl": " \n\r\n\n" }, outcome: refused(/holds no rows/) },
  {
    name: "text that is no data",
    files: { "rows.txt": "hello\nworld\n" },
    data: "rows.txt",
    outcome: refused(/the format of .*rows\.txt is unknown/),
  },
];

/** Columns and cells that nobody reads (kind 4). */
export const unreadCases: readonly DataCase[] = [
  {
    name: "pandas' index column",
    files: { "rows.csv": tableWith(",prompt,completion,label", (line, index) => `${index},${line}`) },
    outcome: read(),
  },
  {
    name: "several columns without a name",
    files: { "rows.csv": tableWith(",prompt,completion,label,,", (line, index) => `${index},${line},x,`) },
    outcome: read(),
  },
  {
    name: "repeated names",
    files: { "rows.csv": tableWith("prompt,completion,label,note,note,label", (line) => `${line},a,b,maybe`) },
    outcome: read(),
  },
  {
    name: "a comma at the end of each line but the first",
    files: { "rows.csv": tableWith("prompt,completion,label", (line) => `${line},`) },
    outcome: read(),
  },
  {
    name: "a row without its last cells",
    files: { "rows.csv": tableWith("prompt,completion,label,note,source", (line, index) => (index === 2 ? line : `${line},x,y`)) },
    outcome: read(),
  },
  {
    name: "NaN, infinities and words in columns of numbers",
    files: { "rows.csv": tableWith("prompt,completion,label,rating", (line, index) => `${line},${["nan", "-inf", "NA", "4.5"][index]}`) },
    outcome: read(),
  },
  {
    name: "a column of mixed types",
    files: { "rows.jsonl": lines(', "meta": 1', ', "meta": "x"', ', "meta": [1, {"a": 2.5}]', ', "meta": null') },
    outcome: read(),
  },
  { name: "rows with other columns each", files: { "rows.jsonl": lines(', "a": 1', ', "b": {"c": 1}', "", ', "d": []') }, outcome: read() },
  {
    name: "names with blanks around them",
    files: { "rows.csv": tableWith(" prompt , completion,label ", (line) => line) },
    outcome: read(),
  },
  {
    name: "more cells than names",
    files: { "rows.csv": tableWith("prompt,completion,label", (line, index) => (index === 1 ? `a, ${line}` : line)) },
    outcome: refused(/line 3 of .* has more cells than the header; expected 3/, /got 4/),
  },
  {
    name: "a quote that is never closed",
    files: { "rows.csv": tableWith("prompt,completion,label,note", (line, index) => (index === 2 ? `${line},"oops` : `${line},x`)) },
    outcome: refused(/line 4 of .* a quoted cell is never closed/),
  },
];
