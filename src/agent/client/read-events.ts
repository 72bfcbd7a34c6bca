export interface ServerSentEvent {
  event: string;
  /** JSON, parsed. */
  data: unknown;
}

/** An event that is larger ends the stream. */
const maxEventLength = 16_777_216;

/**
 * The events of an agent's stream (WHATWG HTML, 9.2), as the agent writes them.
 * @param stream of UTF-8, such as the body of a response
 * @param signal ends it. That of the request is not enough: Node's fetch knows it by a weak reference, and forgets it
 *   once its response is there
 */
export async function* readEvents(
  stream: ReadableStream<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<ServerSentEvent> {
  const reader = stream.getReader();
  const stop = () => void reader.cancel().catch(() => undefined);
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted) stop();
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const event = parse(text.slice(0, end));
        text = text.slice(end + 2);
        if (event) yield event;
      }
      if (text.length > maxEventLength) throw new Error('an event is too large');
    }
  } finally {
    signal?.removeEventListener('abort', stop);
    // Whoever reads no further closes the connection.
    await reader.cancel().catch(() => undefined);
  }
}

/** @returns undefined for a comment */
function parse(block: string): ServerSentEvent | undefined {
  const valueOf = (name: string) =>
    block
      .split('\n')
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2);
  const data = valueOf('data');
  return data === undefined ? undefined : { event: valueOf('event') ?? 'message', data: JSON.parse(data) };
}
