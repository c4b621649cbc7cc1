/**
 * Server-sent events: each object as a line of data. It takes no more of them than its reader reads.
 *
 * @param leave  called when the reader goes before the end
 */
export function eventStream(events: AsyncGenerator<object | "[DONE]">, leave: () => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await events.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(`data: ${value === "[DONE]" ? value : JSON.stringify(value)}\n\n`));
    },
    cancel: () => leave(),
  });
}
