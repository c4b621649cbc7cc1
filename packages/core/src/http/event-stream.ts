/**
 * Server-sent events, each a line of data: texts as they are, objects as JSON. It takes no more of them than its reader reads.
 *
 * @param leave  called when the reader goes before the end
 */
export function eventStream(events: AsyncGenerator<object | string>, leave: () => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await events.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(`data: ${typeof value === "string" ? value : JSON.stringify(value)}\n\n`));
    },
    cancel: () => leave(),
  });
}

/** Headers of an answer that is such a stream. */
export const eventStreamHeaders: Readonly<Record<string, string>> = {
  "Content-Type": "text/event-stream; charset=utf-8",
  "Cache-Control": "no-cache",
  "X-Accel-Buffering": "no",
};
