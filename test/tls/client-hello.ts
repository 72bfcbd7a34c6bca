import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import { createECDH, createHash, createPublicKey, diffieHellman, generateKeyPairSync, randomBytes } from 'node:crypto';
import { cipherSuites, extensionType, namedGroup, pskDheKe, tls13 } from '../../src/tls/codec/constants.js';
import { resumptionBinder } from '../../src/tls/crypto/key-schedule.js';
import { signatureSchemes } from '../../src/tls/codec/schemes.js';
import { Writer } from '../../src/tls/codec/writer.js';

/** SecP384R1MLKEM1024, which the server does not speak: a large share, which makes a ClientHello of two segments. */
export const postQuantumGroup = 0x11ed;
export const postQuantumShareLength = 1216;

export interface KeyPair {
  readonly group: number;
  readonly share: Buffer;
  agree(peer: Buffer): Buffer;
}

export function makeKeyPair(group: number): KeyPair {
  if (group === namedGroup.x25519) {
    const { privateKey, publicKey } = generateKeyPairSync('x25519');
    const share = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url');
    const agree = (peer: Buffer): Buffer => {
      const key = { kty: 'OKP', crv: 'X25519', x: peer.toString('base64url') };
      return diffieHellman({ privateKey, publicKey: createPublicKey({ key, format: 'jwk' }) });
    };
    return { group, share, agree };
  }
  if (group === namedGroup.secp256r1) {
    const ecdh = createECDH('prime256v1');
    return { group, share: ecdh.generateKeys(), agree: (peer) => ecdh.computeSecret(peer) };
  }
  if (group === namedGroup.secp384r1) {
    const ecdh = createECDH('secp384r1');
    return { group, share: ecdh.generateKeys(), agree: (peer) => ecdh.computeSecret(peer) };
  }
  if (group === namedGroup.x25519MlKem768) {
    const kem = ml_kem768.keygen();
    const classic = makeKeyPair(namedGroup.x25519);
    return {
      group,
      share: Buffer.concat([kem.publicKey, classic.share]),
      agree: (peer) =>
        Buffer.concat([
          ml_kem768.decapsulate(peer.subarray(0, 1_088), kem.secretKey),
          classic.agree(peer.subarray(1_088)),
        ]),
    };
  }
  return {
    group,
    share: randomBytes(postQuantumShareLength),
    agree: () => assertNever(group),
  };
}

function assertNever(group: number): never {
  throw new Error(`a server must not choose group ${group}`);
}

/** The parts of a ClientHello, to be changed at will before it is encoded. */
export interface HelloParts {
  legacyVersion: number;
  random: Buffer;
  sessionId: Buffer;
  cipherSuites: number[];
  compressionMethods: Buffer;
  /** In their order. */
  extensions: Map<number, Buffer>;
}

export interface HelloOptions {
  cipherSuites?: number[];
  /** supported_groups; key pairs are sent for `pairs`. */
  groups?: number[];
  serverName?: string;
  alpn?: string[];
  sessionId?: Buffer;
}

export function helloParts(pairs: readonly KeyPair[], options: HelloOptions = {}): HelloParts {
  const extensions = new Map<number, Buffer>();
  const serverName = options.serverName ?? 'a.test';
  extensions.set(extensionType.serverName, serverNameExtension(serverName));
  extensions.set(extensionType.supportedGroups, uint16s(options.groups ?? pairs.map(({ group }) => group)));
  extensions.set(extensionType.signatureAlgorithms, uint16s(Object.values(signatureSchemes)));
  if (options.alpn !== undefined) {
    extensions.set(extensionType.applicationLayerProtocolNegotiation, protocolNames(options.alpn));
  }
  extensions.set(extensionType.supportedVersions, Buffer.from([2, tls13 >> 8, tls13 & 0xff]));
  extensions.set(extensionType.pskKeyExchangeModes, Buffer.from([1, pskDheKe]));
  extensions.set(extensionType.keyShare, keyShares(pairs));
  return {
    legacyVersion: 0x0303,
    random: randomBytes(32),
    sessionId: options.sessionId ?? randomBytes(32),
    cipherSuites: options.cipherSuites ?? [...cipherSuites.keys()],
    compressionMethods: Buffer.from([0]),
    extensions,
  };
}

export function encodeHello(parts: HelloParts): Buffer {
  return new Writer(2_048)
    .uint8(1)
    .vector(3, (w) => {
      w.uint16(parts.legacyVersion).bytes(parts.random);
      w.vector(1, (v) => v.bytes(parts.sessionId));
      w.vector(2, (v) => parts.cipherSuites.forEach((suite) => v.uint16(suite)));
      w.vector(1, (v) => v.bytes(parts.compressionMethods));
      w.vector(2, (list) => {
        for (const [type, data] of parts.extensions) list.uint16(type).vector(2, (v) => v.bytes(data));
      });
    })
    .finish();
}

export interface OfferedTicket {
  readonly ticket: Buffer;
  readonly obfuscatedAge: number;
  readonly psk: Buffer;
  readonly hash: 'sha256' | 'sha384';
}

/** Encodes the hello with pre_shared_key as its last extension; `before` are the messages of a retry. */
export function encodeHelloWithTicket(parts: HelloParts, offer: OfferedTicket, before: readonly Buffer[] = []): Buffer {
  const hashLength = offer.hash === 'sha256' ? 32 : 48;
  const identities = new Writer()
    .vector(2, (w) => w.vector(2, (v) => v.bytes(offer.ticket)).uint32(offer.obfuscatedAge))
    .finish();
  const binders = (binder: Buffer): Buffer =>
    new Writer().vector(2, (w) => w.vector(1, (v) => v.bytes(binder))).finish();
  const withBinder = (binder: Buffer): Buffer => {
    const extensions = new Map(parts.extensions);
    extensions.set(extensionType.preSharedKey, Buffer.concat([identities, binders(binder)]));
    return encodeHello({ ...parts, extensions });
  };
  const draft = withBinder(Buffer.alloc(hashLength));
  const partial = draft.subarray(0, draft.length - binders(Buffer.alloc(hashLength)).length);
  const hash = createHash(offer.hash);
  for (const message of before) hash.update(message);
  return withBinder(resumptionBinder(offer.hash, offer.psk, hash.update(partial).digest()));
}

export function uint16s(values: readonly number[]): Buffer {
  return new Writer().vector(2, (w) => values.forEach((value) => w.uint16(value))).finish();
}

export function serverNameExtension(name: string): Buffer {
  return new Writer().vector(2, (w) => w.uint8(0).vector(2, (v) => v.bytes(Buffer.from(name, 'latin1')))).finish();
}

export function protocolNames(names: readonly string[]): Buffer {
  return new Writer()
    .vector(2, (w) => names.forEach((name) => w.vector(1, (v) => v.bytes(Buffer.from(name, 'latin1')))))
    .finish();
}

export function keyShares(pairs: readonly KeyPair[]): Buffer {
  return new Writer(2_048)
    .vector(2, (w) => pairs.forEach(({ group, share }) => w.uint16(group).vector(2, (v) => v.bytes(share))))
    .finish();
}

/** An unprotected record. */
export function plainRecord(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, 3, 1, body.length >> 8, body.length & 0xff]), body]);
}

/** The bytes of `message` in records of at most `size` bytes of content. */
export function fragmented(message: Buffer, size: number): Buffer {
  const records: Buffer[] = [];
  for (let start = 0; start < message.length; start += size) {
    records.push(plainRecord(22, message.subarray(start, start + size)));
  }
  return Buffer.concat(records);
}
