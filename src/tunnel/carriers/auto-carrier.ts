import { ApiError, isApiError } from '../../contract/errors.js';
import { AnswerError, NetworkError } from '../../sdk/calls/errors.js';
import type { Carrier, DialRequest, OpenedSession } from './carrier.js';

/**
 * The raw carrier, until it shows that something between here and the relay does not let it through while a WebSocket gets
 * through. Then the WebSocket, for as long as this carrier is in use.
 */
export class AutoCarrier implements Carrier {
  #proven: Carrier | undefined;

  constructor(
    private readonly raw: Carrier,
    private readonly webSocket: Carrier,
    /** Tells that the WebSocket is used from now on, and what stood in the raw carrier's way. */
    private readonly onFallback: (reason: Error) => void,
  ) {}

  get name(): string {
    return (this.#proven ?? this.raw).name;
  }

  async dial(request: DialRequest): Promise<OpenedSession> {
    if (this.#proven) return await this.#proven.dial(request);
    let session: OpenedSession;
    try {
      session = await this.raw.dial(request);
      this.#proven = this.raw;
    } catch (error) {
      request.signal.throwIfAborted();
      if (!mayBeProxy(error)) throw error;
      // Should that fail as well, it was not the carrier's fault: the first error says more.
      session = await this.webSocket.dial(request).catch((second: unknown) => {
        throw second instanceof ApiError && !mayBeProxy(second) ? second : error;
      });
      if (this.#proven !== this.webSocket) this.onFallback(error as Error);
      this.#proven = this.webSocket;
    }
    return session;
  }
}

/** Whether a failure looks like the work of a proxy: no answer of a relay's, or a request that came to it changed. */
function mayBeProxy(error: unknown): boolean {
  if (isApiError(error)) {
    return ['http11_only', 'hijack_unsupported', 'hijack_failed', 'not_found', 'invalid_request'].includes(error.code);
  }
  return (
    error instanceof AnswerError ||
    (error instanceof NetworkError && error.reason !== 'certificate' && error.reason !== 'clock')
  );
}
