/** Largest UDP payload over IPv4: 65,535 bytes less the two headers. */
export const maxPayloadBytes = 65_507;
/** Longest flow number accepted, in bytes of LEB128; values above 2^53 are refused. */
const maxNumberBytes = 8;
/** Most bytes of a datagram on its carrier. */
export const maxFrameBytes = maxNumberBytes + maxPayloadBytes;

export interface DatagramFrame {
  flow: number;
  payload: Buffer;
}

/** The frame of one datagram: the flow number in unsigned LEB128, then the payload (docs/protocol.md). */
export function encodeDatagram(flow: number, payload: Buffer): Buffer {
  const number: number[] = [];
  let rest = flow;
  // Arithmetic instead of bit operations, which are limited to 32 bits.
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) number.push((rest % 0x80) | 0x80);
  number.push(rest);
  const frame = Buffer.allocUnsafe(number.length + payload.length);
  frame.set(number);
  payload.copy(frame, number.length);
  return frame;
}

/** @returns undefined for an invalid frame: the flow number is truncated or too large, or the payload is too large */
export function decodeDatagram(frame: Buffer): DatagramFrame | undefined {
  let flow = 0;
  let scale = 1;
  for (let at = 0; at < maxNumberBytes && at < frame.length; at++, scale *= 0x80) {
    const byte = frame[at] as number;
    flow += (byte & 0x7f) * scale;
    if (byte >= 0x80) continue;
    const payload = frame.subarray(at + 1);
    return Number.isSafeInteger(flow) && payload.length <= maxPayloadBytes ? { flow, payload } : undefined;
  }
  return undefined;
}
