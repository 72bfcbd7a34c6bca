import { TlsAlertError } from './alerts.js';
import { extensionType, handshakeType, helloRetryRandom } from './constants.js';
import { Reader, readList } from './reader.js';

// Parsers of single handshake messages, each with its 4-byte header. All throw TlsAlertError, and keep views into the
// message they were given.

export interface PreSharedKeyOffer {
  identities: { identity: Buffer; obfuscatedTicketAge: number }[];
  binders: Buffer[];
  /** Bytes of the binders at the end of the message, with their length: what a binder does not cover (RFC 8446 4.2.11.2). */
  bindersLength: number;
}

export interface ClientHello {
  raw: Buffer;
  legacyVersion: number;
  random: Buffer;
  sessionId: Buffer;
  cipherSuites: number[];
  compressionMethods: Buffer;
  extensions: Map<number, Buffer>;
  extensionOrder: number[];
  /** As it was sent; the caller decides about case. */
  serverName?: string;
  supportedVersions: number[];
  supportedGroups?: number[];
  signatureAlgorithms?: number[];
  keyShares?: Map<number, Buffer>;
  alpn?: string[];
  pskModes: number[];
  preSharedKey?: PreSharedKeyOffer;
}

/** RFC 8446 4.1.2, and the extensions that this implementation looks at. */
export function parseClientHello(message: Buffer): ClientHello {
  const body = bodyOf(message, handshakeType.client_hello);
  const legacyVersion = body.uint16();
  const random = body.take(32);
  const sessionId = body.vector8();
  if (sessionId.length > 32) throw new TlsAlertError('decode_error', 'the session id is too long');
  const suites = readList(body.vector16(), (reader) => reader.uint16());
  const compressionMethods = body.vector8();
  const { extensions, order } =
    body.left > 0 ? readExtensions(body.vector16()) : { extensions: new Map<number, Buffer>(), order: [] };
  body.end();
  const read = <T>(type: number, parse: (reader: Reader) => T): T | undefined => {
    const bytes = extensions.get(type);
    if (!bytes) return undefined;
    const reader = new Reader(bytes);
    const value = parse(reader);
    reader.end();
    return value;
  };
  const uint16List = (reader: Reader) => readList(reader.vector16(), (item) => item.uint16());
  if (extensions.has(extensionType.pre_shared_key) && order.at(-1) !== extensionType.pre_shared_key) {
    throw new TlsAlertError('illegal_parameter', 'pre_shared_key is not the last extension');
  }
  return {
    raw: message,
    legacyVersion,
    random,
    sessionId,
    cipherSuites: suites,
    compressionMethods,
    extensions,
    extensionOrder: order,
    serverName: read(extensionType.server_name, readServerName),
    supportedVersions:
      read(extensionType.supported_versions, (reader) => readList(reader.vector8(), (item) => item.uint16())) ?? [],
    supportedGroups: read(extensionType.supported_groups, uint16List),
    signatureAlgorithms: read(extensionType.signature_algorithms, uint16List),
    keyShares: read(extensionType.key_share, readKeyShares),
    alpn: read(extensionType.alpn, readProtocols),
    pskModes: read(extensionType.psk_key_exchange_modes, (reader) => [...reader.vector8()]) ?? [],
    preSharedKey: read(extensionType.pre_shared_key, readPreSharedKey),
  };
}

export interface ServerHello {
  raw: Buffer;
  random: Buffer;
  sessionIdEcho: Buffer;
  cipherSuite: number;
  isHelloRetryRequest: boolean;
  extensions: Map<number, Buffer>;
  selectedVersion?: number;
  keyShareGroup?: number;
}

/** ServerHello or HelloRetryRequest (RFC 8446 4.1.3 and 4.1.4). */
export function parseServerHello(message: Buffer): ServerHello {
  const body = bodyOf(message, handshakeType.server_hello);
  body.uint16();
  const random = body.take(32);
  const sessionIdEcho = body.vector8();
  const cipherSuite = body.uint16();
  body.uint8();
  const { extensions } = readExtensions(body.vector16());
  body.end();
  const version = extensions.get(extensionType.supported_versions);
  const share = extensions.get(extensionType.key_share);
  return {
    raw: message,
    random,
    sessionIdEcho,
    cipherSuite,
    isHelloRetryRequest: random.equals(helloRetryRandom),
    extensions,
    selectedVersion: version && new Reader(version).uint16(),
    keyShareGroup: share && new Reader(share).uint16(),
  };
}

/** RFC 8446 4.3.1. */
export function parseEncryptedExtensions(message: Buffer): { extensions: Map<number, Buffer>; alpn?: string } {
  const body = bodyOf(message, handshakeType.encrypted_extensions);
  const { extensions } = readExtensions(body.vector16());
  body.end();
  const protocols = extensions.get(extensionType.alpn);
  if (!protocols) return { extensions };
  const reader = new Reader(protocols);
  const chosen = readProtocols(reader);
  reader.end();
  if (chosen.length !== 1) throw new TlsAlertError('decode_error', 'one ALPN protocol is chosen, not more');
  return { extensions, alpn: chosen[0] };
}

/** RFC 8446 4.4.2. */
export function parseCertificate(message: Buffer): {
  context: Buffer;
  entries: { certificate: Buffer; extensions: Buffer }[];
} {
  const body = bodyOf(message, handshakeType.certificate);
  const context = body.vector8();
  const entries = readList(body.vector24(), (reader) => ({
    certificate: reader.vector24(),
    extensions: reader.vector16(),
  }));
  body.end();
  return { context, entries };
}

/** Takes whole messages apart; truncated or trailing bytes are `decode_error`. */
export function splitHandshakeMessages(bytes: Buffer): Buffer[] {
  return readList(bytes, (reader) => {
    const header = reader.take(4);
    const body = reader.take(header.readUIntBE(1, 3));
    return bytes.subarray(header.byteOffset - bytes.byteOffset, body.byteOffset - bytes.byteOffset + body.length);
  });
}

/** What a client may change in its second ClientHello (RFC 8446 4.1.2), all else being equal. */
const changeable: ReadonlySet<number> = new Set([
  extensionType.key_share,
  extensionType.early_data,
  extensionType.cookie,
  extensionType.pre_shared_key,
  21, // padding, RFC 7685
]);

/** @throws TlsAlertError `illegal_parameter` when the second ClientHello is not the first one, mended as the retry asked */
export function checkRetriedClientHello(first: ClientHello, second: ClientHello, retry: ServerHello): void {
  const same =
    first.legacyVersion === second.legacyVersion &&
    first.random.equals(second.random) &&
    first.sessionId.equals(second.sessionId) &&
    first.cipherSuites.join() === second.cipherSuites.join() &&
    first.compressionMethods.equals(second.compressionMethods);
  const fixed = (hello: ClientHello) => hello.extensionOrder.filter((type) => !changeable.has(type));
  const sameExtensions =
    fixed(first).length === fixed(second).length &&
    fixed(first).every(
      (type) =>
        second.extensions.has(type) &&
        (first.extensions.get(type) as Buffer).equals(second.extensions.get(type) as Buffer),
    );
  if (!same || !sameExtensions)
    throw new TlsAlertError('illegal_parameter', 'the second ClientHello differs from the first');
  if (second.extensions.has(extensionType.early_data))
    throw new TlsAlertError('illegal_parameter', 'early data after a HelloRetryRequest');
  const shares = second.keyShares;
  if (retry.keyShareGroup !== undefined && (shares?.size !== 1 || !shares.has(retry.keyShareGroup))) {
    throw new TlsAlertError('illegal_parameter', 'the second ClientHello lacks the key share asked for');
  }
}

function bodyOf(message: Buffer, type: number): Reader {
  const reader = new Reader(message);
  if (reader.uint8() !== type) throw new TlsAlertError('unexpected_message', 'another handshake message was expected');
  const body = new Reader(reader.vector24());
  reader.end();
  return body;
}

function readExtensions(bytes: Buffer): { extensions: Map<number, Buffer>; order: number[] } {
  const extensions = new Map<number, Buffer>();
  for (const [type, data] of readList(bytes, (reader) => [reader.uint16(), reader.vector16()] as const)) {
    if (extensions.has(type)) throw new TlsAlertError('illegal_parameter', `extension ${type} comes twice`);
    extensions.set(type, data);
  }
  return { extensions, order: [...extensions.keys()] };
}

/** RFC 6066 3: the one host_name, as ASCII. */
function readServerName(reader: Reader): string | undefined {
  const names = readList(reader.vector16(), (item) => ({ type: item.uint8(), name: item.vector16() }));
  const hosts = names.filter(({ type }) => type === 0);
  if (hosts.length > 1) throw new TlsAlertError('illegal_parameter', 'more than one server name');
  return hosts[0]?.name.toString('latin1');
}

/** RFC 7301 3.1. */
function readProtocols(reader: Reader): string[] {
  return readList(reader.vector16(), (item) => {
    const protocol = item.vector8();
    if (protocol.length === 0) throw new TlsAlertError('decode_error', 'an empty ALPN protocol');
    return protocol.toString('latin1');
  });
}

function readKeyShares(reader: Reader): Map<number, Buffer> {
  const shares = new Map<number, Buffer>();
  for (const [group, share] of readList(reader.vector16(), (item) => [item.uint16(), item.vector16()] as const)) {
    if (shares.has(group)) throw new TlsAlertError('illegal_parameter', 'two key shares of one group');
    shares.set(group, share);
  }
  return shares;
}

function readPreSharedKey(reader: Reader): PreSharedKeyOffer {
  const identities = readList(reader.vector16(), (item) => ({
    identity: item.vector16(),
    obfuscatedTicketAge: item.uint32(),
  }));
  const bindersLength = reader.left;
  const binders = readList(reader.vector16(), (item) => item.vector8());
  if (binders.length !== identities.length)
    throw new TlsAlertError('illegal_parameter', 'a binder for each identity is needed');
  return { identities, binders, bindersLength };
}
