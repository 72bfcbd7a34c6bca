// Frames of a session that serves one connection after the other (docs/protocol.md): a length in 4 bytes, big endian, then
// that many bytes; or one of these marks instead of a length.

export const frameHeaderBytes = 4;
/** Bytes that one frame may carry. */
export const maxFrameBytes = 1 << 20;

export const frameMark = {
  /** Nothing more comes in this direction. */
  end: 0,
  /** As `end`, and the session will take no further connection. */
  last: 0xffff_fffe,
  /** The connection broke, and so does the other direction. */
  cut: 0xffff_ffff,
} as const;
export type FrameMark = (typeof frameMark)[keyof typeof frameMark];

/** Whether what stands in a header is a mark, and no length. */
export function isFrameMark(header: number): header is FrameMark {
  return header === frameMark.end || header >= frameMark.last;
}

/** A frame's header, or a mark. */
export function frameHeader(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeaderBytes);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Whether bytes are a row of frames with content, whole from the first to the last. */
export function holdsWholeFrames(bytes: Buffer): boolean {
  let at = 0;
  while (at + frameHeaderBytes <= bytes.length) {
    const length = bytes.readUInt32BE(at);
    if (length === 0 || length > maxFrameBytes) return false;
    at += frameHeaderBytes + length;
  }
  return at === bytes.length;
}
