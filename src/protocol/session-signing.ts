// Signing inside a session (docs/protocol.md): the bodies of the two signing messages.

const schemeBytes = 2;
const statusBytes = 2;

/** The tunnel's request: a signature scheme (RFC 8446 4.2.3) and a transcript, ClientHello to Certificate. */
export interface SigningRequest {
  scheme: number;
  transcript: Buffer;
}

/** The relay's response: the status of `POST /v1/sign`; with 200 the signature, else its JSON body. */
export interface SigningResponse {
  status: number;
  body: Buffer;
}

export function encodeSigningRequest({ scheme, transcript }: SigningRequest): Buffer {
  return withPrefix(scheme, transcript);
}

/** @throws Error when it is too short */
export function parseSigningRequest(message: Buffer): SigningRequest {
  if (message.length < schemeBytes) throw new Error('a signing request without a scheme');
  return { scheme: message.readUInt16BE(0), transcript: message.subarray(schemeBytes) };
}

export function encodeSigningResponse({ status, body }: SigningResponse): Buffer {
  return withPrefix(status, body);
}

/** @throws Error when it is too short */
export function parseSigningResponse(message: Buffer): SigningResponse {
  if (message.length < statusBytes) throw new Error('a signing response without a status');
  return { status: message.readUInt16BE(0), body: message.subarray(statusBytes) };
}

function withPrefix(value: number, rest: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(2 + rest.length);
  bytes.writeUInt16BE(value);
  rest.copy(bytes, 2);
  return bytes;
}
