import { type Kernel, openKernel, type Piece, type PieceResult } from "./kernel.js";

// The script of a worker: bundled into compiled.ts, and run with `port` before it. The first message is the compiled module, every other a piece.

declare const port: {
  onmessage: ((event: { data: WebAssembly.Module | Piece }) => void) | null;
  postMessage(message: WorkerReply, transfer?: ArrayBuffer[]): void;
};

/** What a worker says: that it is ready, the result of a piece, in their order, or what went wrong with one. */
export type WorkerReply = "ready" | PieceResult | { failure: string };

let kernel: Kernel | undefined;

function answer(message: WebAssembly.Module | Piece): WorkerReply {
  if (message instanceof WebAssembly.Module) {
    kernel = openKernel(message);
    return "ready";
  }
  return kernel!.quantize(message);
}

// oxlint-disable-next-line unicorn/prefer-add-event-listener -- a listener would not start Node's port
port.onmessage = ({ data }) => {
  try {
    const reply = answer(data);
    port.postMessage(reply, typeof reply === "object" && "bytes" in reply ? [reply.bytes.buffer] : []);
  } catch (error) {
    port.postMessage({ failure: String(error) });
  }
};
