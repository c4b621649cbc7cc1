/** An event of a file for TensorBoard. */
export interface ReadEvent {
  wallTime: number;
  step: number;
  fileVersion: string | undefined;
  scalars: Record<string, number>;
  texts: Record<string, string>;
  /** Plugins that the texts name. */
  plugins: string[];
  restarts: boolean;
}

type Fields = [field: number, value: number | Uint8Array][];

/** Reads the records of an event file. Throws for a sum that is not that of its bytes, and for a file that is cut. */
export function readEvents(bytes: Uint8Array): ReadEvent[] {
  const file = new Uint8Array(bytes); // a Buffer's slice is no copy
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const events: ReadEvent[] = [];
  for (let at = 0; at < file.length;) {
    const length = Number(view.getBigUint64(at, true));
    expectSum(file.subarray(at, at + 8), view.getUint32(at + 8, true));
    const message = file.subarray(at + 12, at + 12 + length);
    expectSum(message, view.getUint32(at + 12 + length, true));
    events.push(eventOf(message));
    at += 16 + length;
  }
  return events;
}

function expectSum(bytes: Uint8Array, masked: number): void {
  const turned = (masked - 0xa282ead8) >>> 0;
  const sum = ((turned >>> 17) | (turned << 15)) >>> 0;
  if (sum !== crc32c(bytes)) throw new Error(`a record has another sum than its bytes: ${sum}`);
}

/** CRC-32C, bit by bit. */
function crc32c(bytes: Uint8Array): number {
  let rest = 0xffff_ffff;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0x82f63b78 : rest >>> 1;
  }
  return ~rest >>> 0;
}

function eventOf(bytes: Uint8Array): ReadEvent {
  const event: ReadEvent = { wallTime: 0, step: 0, fileVersion: undefined, scalars: {}, texts: {}, plugins: [], restarts: false };
  for (const [field, value] of fieldsOf(bytes)) {
    if (field === 1) event.wallTime = new DataView((value as Uint8Array).slice().buffer).getFloat64(0, true);
    else if (field === 2) event.step = value as number;
    else if (field === 3) event.fileVersion = textOf(value);
    else if (field === 5) for (const [, one] of fieldsOf(value as Uint8Array)) addValue(event, fieldsOf(one as Uint8Array));
    else if (field === 7) event.restarts = fieldsOf(value as Uint8Array).some(([name, status]) => name === 1 && status === 1);
  }
  return event;
}

function addValue(event: ReadEvent, fields: Fields): void {
  const of = (message: Fields, field: number): number | Uint8Array | undefined => message.find(([name]) => name === field)?.[1];
  const tag = textOf(of(fields, 1)!);
  const [scalar, tensor, metadata] = [2, 8, 9].map((field) => of(fields, field) as Uint8Array | undefined);
  if (scalar) event.scalars[tag] = new DataView(scalar.slice().buffer).getFloat32(0, true);
  if (tensor) event.texts[tag] = textOf(of(fieldsOf(tensor), 8)!);
  if (metadata) event.plugins.push(textOf(of(fieldsOf(of(fieldsOf(metadata), 1) as Uint8Array), 1)!));
}

function textOf(value: number | Uint8Array): string {
  return new TextDecoder().decode(value as Uint8Array);
}

/** The fields of a protobuf message: numbers of varints, bytes of everything else. */
function fieldsOf(bytes: Uint8Array): Fields {
  const fields: Fields = [];
  let at = 0;
  const varint = (): number => {
    for (let value = 0, place = 1; ; place *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * place;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const head = varint();
    const wireType = head & 7;
    if (wireType === 0) fields.push([head >>> 3, varint()]);
    else {
      const length = wireType === 1 ? 8 : wireType === 5 ? 4 : varint();
      fields.push([head >>> 3, bytes.subarray(at, at + length)]);
      at += length;
    }
  }
  return fields;
}
