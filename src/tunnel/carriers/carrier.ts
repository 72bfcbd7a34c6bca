import type { Duplex } from 'node:stream';

/** Idle timeout of a session: the relay sends a keepalive about every 15 s, so this is three missed ones. */
export const sessionSilenceMs = 45_000;
/** Failures further apart than this are not consecutive. */
export const failureMemoryMs = 30_000;

export interface DialRequest {
  accessToken: string;
  signal: AbortSignal;
}

/** What tunnel and relay have agreed on for a session. */
export interface SessionTerms {
  /** It serves several connections in turn, in frames (docs/protocol.md, Recycled sessions). */
  recycles: boolean;
  /** The relay signs handshakes inside the session (docs/protocol.md, Signing inside a session). */
  signs: boolean;
  /** The relay is of an earlier release: neither binding nor PROXY header follows the marker. */
  isBare?: boolean | undefined;
}

/** An opened session. */
export interface OpenedSession extends SessionTerms {
  stream: Duplex;
}

/** One way to open reverse sessions at a relay. */
export interface Carrier {
  /** Its name in the relay's `transports`. */
  readonly name: string;
  /**
   * Opens a session, including the HTTP exchange: the first byte to be read is the relay's first marker. The stream
   * supports half-close and backpressure, and has an error listener.
   * @throws ApiError when the relay refuses; NetworkError; AnswerError; the signal's reason when aborted
   */
  dial(request: DialRequest): Promise<OpenedSession>;
}
