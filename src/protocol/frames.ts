// Frames of a session that serves one connection after the other (docs/protocol.md): a length in 4 bytes, big endian, then
// that many bytes; or one of these marks instead of a length.

export const frameHeaderBytes = 4;
/** Bytes that one frame may carry. */
export const maxFrameBytes = 1 << 20;

export const frameMark = {
  /** End of this direction. */
  end: 0,
  /** Like `end`; the session will serve no further connection. */
  last: 0xffff_fffe,
  /** The connection was cut: both directions end. */
  cut: 0xffff_ffff,
} as const;
export type FrameMark = (typeof frameMark)[keyof typeof frameMark];

/** Stands in place of a length: a signing message follows, as a length in 4 bytes and that many bytes. */
export const signingHeader = 0xffff_fffd;
/** Largest signing message: the scheme and the longest transcript. */
export const maxSigningBytes = 2 + 65_536;

/** Whether a header is a mark and not a length. */
export function isFrameMark(header: number): header is FrameMark {
  return header === frameMark.end || header >= frameMark.last;
}

/** A frame's header, or a mark. */
export function frameHeader(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeaderBytes);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Whether the bytes are a sequence of complete frames, each with content. */
export function holdsWholeFrames(bytes: Buffer): boolean {
  let at = 0;
  while (at + frameHeaderBytes <= bytes.length) {
    const length = bytes.readUInt32BE(at);
    if (length === 0 || length > maxFrameBytes) return false;
    at += frameHeaderBytes + length;
  }
  return at === bytes.length;
}
