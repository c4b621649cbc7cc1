import { maskedCrc32c } from "./crc32c.js";
import { ProtobufWriter } from "./protobuf.js";

/** What an event of TensorBoard says. */
export interface EventContent {
  /** Numbers by their tag; kept as f32, as all writers of scalars do. */
  scalars?: Readonly<Record<string, number>>;
  /** Texts in Markdown by their tag. */
  texts?: Readonly<Record<string, string>>;
  /** Everything from this step on that was written before is void: the run goes on from before it. */
  restarts?: boolean;
}

/** The version that readers know these files by: the first event of each says it. */
const fileVersion = "brain.Event:2";

/** Numbers of fields, by the messages of tensorflow/core/util/event.proto and tensorflow/core/framework. */
const event = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 };
const summaryValue = { tag: 1, simpleValue: 2, tensor: 8, metadata: 9 };
const [sessionStart, stringType] = [1, 7];

/** The first record of a file. */
export function openingRecord(seconds: number): Uint8Array {
  return record(new ProtobufWriter().double(event.wallTime, seconds).text(event.fileVersion, fileVersion));
}

/** A record of a file that says something of a step. `seconds` since 1970. */
export function eventRecord(step: number, { scalars = {}, texts = {}, restarts = false }: EventContent, seconds: number): Uint8Array {
  const summary = new ProtobufWriter();
  for (const [tag, value] of Object.entries(scalars))
    summary.message(1, new ProtobufWriter().text(summaryValue.tag, tag).float(summaryValue.simpleValue, value));
  for (const [tag, text] of Object.entries(texts)) summary.message(1, textValue(tag, text));
  const message = new ProtobufWriter().double(event.wallTime, seconds).varint(event.step, step);
  if (restarts) message.message(event.sessionLog, new ProtobufWriter().varint(1, sessionStart));
  else message.message(event.summary, summary);
  return record(message);
}

/** A text as the plugin for texts reads it: a vector of one string. */
function textValue(tag: string, text: string): ProtobufWriter {
  const plugin = new ProtobufWriter().text(1, "text");
  const shape = new ProtobufWriter().message(2, new ProtobufWriter().varint(1, 1));
  return new ProtobufWriter()
    .text(summaryValue.tag, `${tag}/text_summary`)
    .message(summaryValue.metadata, new ProtobufWriter().message(1, plugin))
    .message(summaryValue.tensor, new ProtobufWriter().varint(1, stringType).message(2, shape).text(8, text));
}

/** A message as TFRecord frames it: its length (u64), the sum of that, the message, its sum; all little-endian. */
function record(message: ProtobufWriter): Uint8Array {
  const bytes = message.finish();
  const framed = new Uint8Array(bytes.length + 16);
  const view = new DataView(framed.buffer);
  view.setBigUint64(0, BigInt(bytes.length), true);
  view.setUint32(8, maskedCrc32c(framed.subarray(0, 8)), true);
  framed.set(bytes, 12);
  view.setUint32(12 + bytes.length, maskedCrc32c(bytes), true);
  return framed;
}
