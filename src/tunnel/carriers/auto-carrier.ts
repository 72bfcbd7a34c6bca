import { ApiError, isApiError } from '../../contract/errors.js';
import { AnswerError, NetworkError } from '../../sdk/calls/errors.js';
import type { Carrier, DialRequest, OpenedSession } from './carrier.js';

/**
 * Uses the raw carrier until a middlebox turns out to block it while a WebSocket gets through. Then uses the
 * WebSocket for the rest of its life.
 */
export class AutoCarrier implements Carrier {
  #proven: Carrier | undefined;

  constructor(
    private readonly raw: Carrier,
    private readonly webSocket: Carrier,
    /** Called when it switches to the WebSocket, with the raw carrier's error. */
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
      // If that fails too, the carrier was not the cause: report the first error.
      session = await this.webSocket.dial(request).catch((second: unknown) => {
        throw second instanceof ApiError && !mayBeProxy(second) ? second : error;
      });
      if (this.#proven !== this.webSocket) this.onFallback(error as Error);
      this.#proven = this.webSocket;
    }
    return session;
  }
}

/** Whether an error looks caused by a proxy: not a relay's response, or a modified request. */
function mayBeProxy(error: unknown): boolean {
  if (isApiError(error)) {
    return ['http11_only', 'hijack_unsupported', 'hijack_failed', 'not_found', 'invalid_request'].includes(error.code);
  }
  return (
    error instanceof AnswerError ||
    (error instanceof NetworkError && error.reason !== 'certificate' && error.reason !== 'clock')
  );
}
