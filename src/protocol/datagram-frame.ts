/** Of a UDP payload over IPv4: 65,535 less the two headers. */
export const maxPayloadBytes = 65_507;
/** Longest flow number taken: 56 bits, which a number holds exactly up to 53. */
const maxNumberBytes = 8;
/** A datagram on its carrier, at most. */
export const maxFrameBytes = maxNumberBytes + maxPayloadBytes;

export interface DatagramFrame {
  flow: number;
  payload: Buffer;
}

/** A datagram as a carrier takes it: the flow's number in unsigned LEB128, then the payload (docs/protocol.md). */
export function encodeDatagram(flow: number, payload: Buffer): Buffer {
  const number: number[] = [];
  let rest = flow;
  // No bit operations: these would cut it to 32 bits.
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) number.push((rest % 0x80) | 0x80);
  number.push(rest);
  const frame = Buffer.allocUnsafe(number.length + payload.length);
  frame.set(number);
  payload.copy(frame, number.length);
  return frame;
}

/** @returns undefined for what is no datagram: its number does not end, is too large, or the payload is */
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
