import type { Duplex } from 'node:stream';

/** The relay writes a byte about every 15 s; a session that was silent for three times as long is dead. */
export const sessionSilenceMs = 45_000;
/** Failures further apart than this do not add up. */
export const failureMemoryMs = 30_000;

export interface DialRequest {
  accessToken: string;
  signal: AbortSignal;
}

/** A session as it was opened. */
export interface OpenedSession {
  stream: Duplex;
  /** It serves one connection after the other, in frames (docs/protocol.md, Recycled sessions). */
  recycles: boolean;
}

/** One way to open reverse sessions at a relay. */
export interface Carrier {
  /** As the relay lists it in `transports`. */
  readonly name: string;
  /**
   * Opens a session, past the HTTP exchange: the first byte to be read is the relay's first marker. The stream ends its two
   * directions separately, keeps backpressure, and has someone listening to its errors.
   * @throws ApiError when the relay refuses; NetworkError; AnswerError; the signal's reason when aborted
   */
  dial(request: DialRequest): Promise<OpenedSession>;
}
