/** Fields of a protobuf message, written one after another in the wire format (protobuf.dev/programming-guides/encoding). */
export class ProtobufWriter {
  readonly #bytes: number[] = [];

  /** An integer of at least 0, or an enum. */
  varint(field: number, value: number): this {
    this.#head(field, 0);
    return this.#varint(value);
  }

  double(field: number, value: number): this {
    this.#head(field, 1);
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value, true);
    return this.#append(new Uint8Array(view.buffer));
  }

  float(field: number, value: number): this {
    this.#head(field, 5);
    const view = new DataView(new ArrayBuffer(4));
    view.setFloat32(0, value, true);
    return this.#append(new Uint8Array(view.buffer));
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  message(field: number, value: ProtobufWriter): this {
    return this.bytes(field, value.finish());
  }

  bytes(field: number, value: Uint8Array): this {
    this.#head(field, 2);
    this.#varint(value.length);
    return this.#append(value);
  }

  /** The message. */
  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  #head(field: number, wireType: number): void {
    this.#varint(field * 8 + wireType);
  }

  #varint(value: number): this {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes.push((rest % 128) + 128);
    this.#bytes.push(rest);
    return this;
  }

  #append(bytes: Uint8Array): this {
    for (const byte of bytes) this.#bytes.push(byte);
    return this;
  }
}
