/**
 * Parsers of single, complete handshake messages with their 4-byte header. All throw `TlsAlertError` with the right
 * alert, and return views of the message, not copies.
 */
import { TlsAlertError } from './alerts.js';
import { extensionType, handshakeHeaderLength, handshakeType, helloRetryRequestRandomHex, tls12 } from './constants.js';
import { Reader } from './reader.js';

export interface PreSharedKeyOffer {
  readonly identities: readonly { readonly identity: Buffer; readonly obfuscatedTicketAge: number }[];
  readonly binders: readonly Buffer[];
  /** Bytes of the binders list including its length, at the end of the ClientHello (RFC 8446 4.2.11.2). */
  readonly bindersLength: number;
}

/** RFC 8446 4.1.2. A list is `undefined` when its extension is absent. */
export interface ClientHello {
  readonly raw: Buffer;
  readonly legacyVersion: number;
  readonly random: Buffer;
  readonly sessionId: Buffer;
  readonly cipherSuites: number[];
  readonly compressionMethods: Buffer;
  /** Extension type -> its data. */
  readonly extensions: ReadonlyMap<number, Buffer>;
  readonly extensionOrder: number[];
  /** In lower case (RFC 6066 3: names compare without case). */
  readonly serverName?: string | undefined;
  /** Empty when the client did not send the extension, as one of TLS 1.2 or older. */
  readonly supportedVersions: number[];
  readonly supportedGroups?: number[] | undefined;
  readonly signatureAlgorithms?: number[] | undefined;
  /** Group -> key exchange bytes. */
  readonly keyShares?: ReadonlyMap<number, Buffer> | undefined;
  readonly alpn?: string[] | undefined;
  readonly pskModes: number[];
  readonly preSharedKey?: PreSharedKeyOffer | undefined;
}

/** RFC 8446 4.1.3 and 4.1.4. */
export interface ServerHello {
  readonly raw: Buffer;
  readonly random: Buffer;
  readonly sessionIdEcho: Buffer;
  readonly cipherSuite: number;
  readonly isHelloRetryRequest: boolean;
  readonly extensions: ReadonlyMap<number, Buffer>;
  readonly selectedVersion?: number | undefined;
  readonly keyShareGroup?: number | undefined;
}

const helloRetryRequestRandom = Buffer.from(helloRetryRequestRandomHex, 'hex');
const randomLength = 32;

export function parseClientHello(message: Buffer): ClientHello {
  const reader = messageBody(message, handshakeType.clientHello, 'ClientHello');
  const legacyVersion = reader.uint16();
  const random = reader.bytes(randomLength);
  const sessionId = reader.vector8(0, 32);
  const cipherSuites = uint16List(reader.vector16(2, 0xfffe));
  const compressionMethods = reader.vector8(1);
  // Before TLS 1.3 the extensions could be omitted.
  const extensions = reader.remaining === 0 ? new Map<number, Buffer>() : parseExtensions(reader, 'ClientHello');
  reader.end('ClientHello');
  const extensionOrder = [...extensions.keys()];
  if (extensions.has(extensionType.preSharedKey) && extensionOrder.at(-1) !== extensionType.preSharedKey) {
    throw new TlsAlertError('illegal_parameter', 'pre_shared_key is not the last extension');
  }
  return {
    raw: message,
    legacyVersion,
    random,
    sessionId,
    cipherSuites,
    compressionMethods,
    extensions,
    extensionOrder,
    serverName: within(extensions, extensionType.serverName, parseServerName),
    supportedVersions: within(extensions, extensionType.supportedVersions, (r) => uint16List(r.vector8(2, 254))) ?? [],
    supportedGroups: within(extensions, extensionType.supportedGroups, (r) => uint16List(r.vector16(2))),
    signatureAlgorithms: within(extensions, extensionType.signatureAlgorithms, (r) => uint16List(r.vector16(2))),
    keyShares: within(extensions, extensionType.keyShare, parseKeyShares),
    alpn: within(extensions, extensionType.applicationLayerProtocolNegotiation, parseProtocolNames),
    pskModes: within(extensions, extensionType.pskKeyExchangeModes, (r) => [...r.vector8(1)]) ?? [],
    preSharedKey: within(extensions, extensionType.preSharedKey, parsePreSharedKey),
  };
}

export function parseServerHello(message: Buffer): ServerHello {
  const reader = messageBody(message, handshakeType.serverHello, 'ServerHello');
  if (reader.uint16() !== tls12) throw new TlsAlertError('illegal_parameter', 'ServerHello has a wrong legacy version');
  const random = reader.bytes(randomLength);
  const sessionIdEcho = reader.vector8(0, 32);
  const cipherSuite = reader.uint16();
  if (reader.uint8() !== 0) throw new TlsAlertError('illegal_parameter', 'ServerHello selects a compression method');
  const extensions = parseExtensions(reader, 'ServerHello');
  reader.end('ServerHello');
  const isRetry = random.equals(helloRetryRequestRandom);
  return {
    raw: message,
    random,
    sessionIdEcho,
    cipherSuite,
    isHelloRetryRequest: isRetry,
    extensions,
    selectedVersion: within(extensions, extensionType.supportedVersions, (r) => r.uint16()),
    keyShareGroup: within(extensions, extensionType.keyShare, (r) => {
      const group = r.uint16();
      if (!isRetry) r.vector16(1);
      return group;
    }),
  };
}

/** Whether a complete handshake message is a HelloRetryRequest: a ServerHello with a special random. */
export function isHelloRetryRequest(message: Buffer): boolean {
  const randomStart = handshakeHeaderLength + 2;
  return (
    message[0] === handshakeType.serverHello &&
    message.subarray(randomStart, randomStart + randomLength).equals(helloRetryRequestRandom)
  );
}

/** RFC 8446 4.3.1. `alpn` is the one protocol the server selected. */
export function parseEncryptedExtensions(message: Buffer): {
  extensions: Map<number, Buffer>;
  alpn: string | undefined;
} {
  const reader = messageBody(message, handshakeType.encryptedExtensions, 'EncryptedExtensions');
  const extensions = parseExtensions(reader, 'EncryptedExtensions');
  reader.end('EncryptedExtensions');
  const protocols = within(extensions, extensionType.applicationLayerProtocolNegotiation, parseProtocolNames);
  if (protocols !== undefined && protocols.length !== 1) {
    throw new TlsAlertError('illegal_parameter', 'the server selected several application protocols');
  }
  return { extensions, alpn: protocols?.[0] };
}

/** RFC 8446 4.4.2, entries leaf first. */
export function parseCertificate(message: Buffer): {
  context: Buffer;
  entries: { certificate: Buffer; extensions: Buffer }[];
} {
  const reader = messageBody(message, handshakeType.certificate, 'Certificate');
  const context = reader.vector8();
  const list = new Reader(reader.vector24());
  reader.end('Certificate');
  const entries: { certificate: Buffer; extensions: Buffer }[] = [];
  while (list.remaining > 0) entries.push({ certificate: list.vector24(1), extensions: list.vector16() });
  return { context, entries };
}

/** Splits concatenated handshake messages, each with its header; an incomplete last one is refused. */
export function splitHandshakeMessages(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  let start = 0;
  while (start < bytes.length) {
    const reader = new Reader(bytes.subarray(start));
    reader.uint8();
    const end = start + handshakeHeaderLength + reader.vector24().length;
    messages.push(bytes.subarray(start, end));
    start = end;
  }
  return messages;
}

function messageBody(message: Buffer, type: number, name: string): Reader {
  const reader = new Reader(message);
  if (reader.uint8() !== type) throw new TlsAlertError('unexpected_message', `the message is not a ${name}`);
  const body = new Reader(reader.vector24());
  reader.end(name);
  return body;
}

function parseExtensions(reader: Reader, where: string): Map<number, Buffer> {
  const list = new Reader(reader.vector16());
  const extensions = new Map<number, Buffer>();
  while (list.remaining > 0) {
    const type = list.uint16();
    const data = list.vector16();
    // RFC 8446 4.2: no type twice in one block.
    if (extensions.has(type)) throw new TlsAlertError('illegal_parameter', `${where} repeats extension ${type}`);
    extensions.set(type, data);
  }
  return extensions;
}

/** Parses the data of one extension completely; returns `undefined` when the extension is absent. */
function within<T>(extensions: ReadonlyMap<number, Buffer>, type: number, parse: (reader: Reader) => T): T | undefined {
  const data = extensions.get(type);
  if (data === undefined) return undefined;
  const reader = new Reader(data);
  const value = parse(reader);
  reader.end(`extension ${type}`);
  return value;
}

function uint16List(bytes: Buffer): number[] {
  if (bytes.length % 2 !== 0) throw new TlsAlertError('decode_error', 'a list of 16-bit values has an odd length');
  const values: number[] = [];
  for (let offset = 0; offset < bytes.length; offset += 2) values.push(bytes.readUInt16BE(offset));
  return values;
}

/**
 * RFC 6066 3: in practice a list of exactly one host_name; unknown name types cannot be skipped, so they are refused.
 */
function parseServerName(reader: Reader): string {
  const list = new Reader(reader.vector16(1));
  if (list.uint8() !== 0) throw new TlsAlertError('decode_error', 'server_name has an unknown name type');
  const name = list.vector16(1);
  list.end('server_name');
  if (name.some((byte) => byte <= 0x20 || byte >= 0x7f)) {
    throw new TlsAlertError('illegal_parameter', 'server_name is not a host name');
  }
  return name.toString('latin1').toLowerCase();
}

function parseKeyShares(reader: Reader): Map<number, Buffer> {
  const list = new Reader(reader.vector16());
  const shares = new Map<number, Buffer>();
  while (list.remaining > 0) {
    const group = list.uint16();
    const share = list.vector16(1);
    // RFC 8446 4.2.8: not several for one group.
    if (shares.has(group)) throw new TlsAlertError('illegal_parameter', `key_share repeats group ${group}`);
    shares.set(group, share);
  }
  return shares;
}

/** RFC 7301 3.1. */
function parseProtocolNames(reader: Reader): string[] {
  const list = new Reader(reader.vector16(2));
  const names: string[] = [];
  while (list.remaining > 0) names.push(list.vector8(1).toString('latin1'));
  return names;
}

function parsePreSharedKey(reader: Reader): PreSharedKeyOffer {
  const identityList = new Reader(reader.vector16(7));
  const identities: { identity: Buffer; obfuscatedTicketAge: number }[] = [];
  while (identityList.remaining > 0) {
    identities.push({ identity: identityList.vector16(1), obfuscatedTicketAge: identityList.uint32() });
  }
  const bindersLength = reader.remaining;
  const binderList = new Reader(reader.vector16(33));
  const binders: Buffer[] = [];
  while (binderList.remaining > 0) binders.push(binderList.vector8(32));
  if (binders.length !== identities.length) {
    throw new TlsAlertError('illegal_parameter', 'pre_shared_key has not one binder for each identity');
  }
  return { identities, binders, bindersLength };
}
