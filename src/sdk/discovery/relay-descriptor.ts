import { createHash } from 'node:crypto';
import { Signature, SigningKey } from 'ethers/crypto';
import { computeAddress } from 'ethers/transaction';
import type { components } from '../../contract/operations.js';
import { goJsonNumber, goJsonString } from './go-json.js';
import { nanoOfMs, unixNano } from './unix-nano.js';

/** Version of the discovery protocol; others are refused. */
export const discoveryVersion = '5';
/** Longest lifetime of a descriptor; relays use five minutes. A longer one would outlive its relay. */
export const maxDescriptorLifetimeMs = 900_000;
/** Allowed clock skew for `issued_at`. */
const descriptorSkewMs = 120_000;
const maxApiUrlLength = 512;

/** A descriptor as JSON. */
export type WireDescriptor = components['schemas']['RelayDescriptor'];
type Unsigned = Omit<WireDescriptor, 'signature'>;

/**
 * A parsed, well-formed descriptor. Its truth is checked by `checkTimes`, `checkSignature` and a fetch from its URL.
 */
export interface RelayDescriptor {
  /** The received JSON, to pass on, limited to the contract's fields. */
  readonly wire: WireDescriptor;
  /** URL of its API, without a path. */
  readonly url: URL;
  /** The signing address, in lower case. */
  readonly address: string;
  readonly issuedAtNano: bigint;
  readonly expiresAtNano: bigint;
}

export type DescriptorFault =
  | 'malformed'
  | 'version'
  | 'expired'
  | 'not_yet_valid'
  | 'too_long_lived'
  | 'signature'
  /** Its URL does not serve it. */
  | 'not_served';

/** An invalid descriptor, with the reason. */
export class DescriptorError extends Error {
  override readonly name = 'DescriptorError';

  constructor(
    readonly fault: DescriptorFault,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Parses a received descriptor.
 * @throws DescriptorError `malformed`
 */
export function parseDescriptor(raw: unknown): RelayDescriptor {
  if (typeof raw !== 'object' || raw === null) throw malformed('it is no object');
  const given = raw as Record<string, unknown>;
  const text = (name: string, pattern: RegExp): string => {
    const value = given[name];
    if (typeof value !== 'string' || !pattern.test(value)) throw malformed(name);
    return value;
  };
  const number = (name: string, max: number): number => {
    const value = given[name];
    if (typeof value !== 'number' || !(value >= 0 && value <= max)) throw malformed(name);
    return value;
  };
  const flag = (name: string): boolean => {
    if (typeof given[name] !== 'boolean') throw malformed(name);
    return given[name];
  };
  const time = (name: string): bigint => {
    const nano = typeof given[name] === 'string' ? unixNano(given[name]) : undefined;
    if (nano === undefined) throw malformed(name);
    return nano;
  };

  const wire: WireDescriptor = {
    address: text('address', /^0[xX][0-9a-fA-F]{40}$/),
    version: text('version', /^[\x21-\x7e]{1,16}$/),
    issued_at: given['issued_at'] as string,
    expires_at: given['expires_at'] as string,
    api_https_addr: text('api_https_addr', /^https:\/\//),
    supports_overlay: flag('supports_overlay'),
    supports_udp: flag('supports_udp'),
    supports_tcp: flag('supports_tcp'),
    active_connections: number('active_connections', Number.MAX_SAFE_INTEGER),
    tcp_bps: number('tcp_bps', 1e18),
    signature: text('signature', /^[A-Za-z0-9+/]{87}=$/),
  };
  if (!Number.isInteger(wire.active_connections)) throw malformed('active_connections');
  if (given['wireguard_public_key'] !== undefined) {
    wire.wireguard_public_key = text('wireguard_public_key', /^([A-Za-z0-9+/]{43}=)?$/);
  }
  if (given['wireguard_port'] !== undefined) {
    wire.wireguard_port = number('wireguard_port', 65_535);
    if (!Number.isInteger(wire.wireguard_port)) throw malformed('wireguard_port');
  }
  if (wire.supports_overlay && !(wire.wireguard_public_key && wire.wireguard_port)) {
    throw malformed('an overlay without key and port');
  }
  return {
    wire,
    url: apiUrl(wire.api_https_addr),
    address: wire.address.toLowerCase(),
    issuedAtNano: time('issued_at'),
    expiresAtNano: time('expires_at'),
  };
}

/**
 * Rejects a descriptor that is expired, not yet valid or too long-lived.
 * @throws DescriptorError
 */
export function checkTimes({ wire, issuedAtNano, expiresAtNano }: RelayDescriptor, nowMs = Date.now()): void {
  if (wire.version !== discoveryVersion) {
    throw new DescriptorError('version', `version ${JSON.stringify(wire.version)}, not ${discoveryVersion}`);
  }
  if (expiresAtNano <= nanoOfMs(nowMs)) throw new DescriptorError('expired', `it expired at ${wire.expires_at}`);
  if (issuedAtNano > nanoOfMs(nowMs + descriptorSkewMs)) {
    throw new DescriptorError('not_yet_valid', `it is issued in the future: ${wire.issued_at}`);
  }
  if (expiresAtNano - issuedAtNano > nanoOfMs(maxDescriptorLifetimeMs)) {
    throw new DescriptorError('too_long_lived', `it would live longer than ${maxDescriptorLifetimeMs / 1000} s`);
  }
}

/**
 * Rejects a descriptor that its `address` did not sign. Takes milliseconds of CPU time: do cheaper checks first.
 * @throws DescriptorError `signature`
 */
export function checkSignature(descriptor: RelayDescriptor): void {
  const bytes = Buffer.from(descriptor.wire.signature, 'base64');
  // 27, the recovery id, and 4 for a compressed key. Ids 2 and 3 do not occur: r would have to exceed the group's order.
  const yParity = bytes[0]! - 31;
  let signer: string | undefined;
  if (yParity === 0 || yParity === 1) {
    try {
      const [r, s] = [`0x${bytes.toString('hex', 1, 33)}`, `0x${bytes.toString('hex', 33)}`];
      signer = computeAddress(
        SigningKey.recoverPublicKey(signedDigest(descriptor.wire), Signature.from({ yParity, r, s })),
      );
    } catch {
      // r or s out of range, or a high s, which no signer produces
    }
  }
  if (signer?.toLowerCase() !== descriptor.address) {
    throw new DescriptorError('signature', `the signature is not by ${descriptor.wire.address}`);
  }
}

/** @param privateKey 0x and 64 hex digits, of `fields.address` */
export function signDescriptor(fields: Unsigned, privateKey: string): WireDescriptor {
  const { yParity, r, s } = new SigningKey(privateKey).sign(signedDigest(fields));
  const bytes = Buffer.from([31 + yParity, ...Buffer.from(r.slice(2) + s.slice(2), 'hex')]);
  return { ...fields, signature: bytes.toString('base64') };
}

/** The signed JSON: in this order, nothing omitted, encoded like Go's encoding/json. */
export function signedText(fields: Unsigned): string {
  const parts = [
    ['address', goJsonString(fields.address)],
    ['version', goJsonString(fields.version)],
    ['issued_at_unix_nano', unixNano(fields.issued_at)],
    ['expires_at_unix_nano', unixNano(fields.expires_at)],
    ['api_https_addr', goJsonString(fields.api_https_addr)],
    ['wireguard_public_key', goJsonString(fields.wireguard_public_key ?? '')],
    ['wireguard_port', goJsonNumber(fields.wireguard_port ?? 0)],
    ['supports_overlay', fields.supports_overlay],
    ['supports_udp', fields.supports_udp],
    ['supports_tcp', fields.supports_tcp],
    ['active_connections', goJsonNumber(fields.active_connections)],
    ['tcp_bps', goJsonNumber(fields.tcp_bps)],
  ];
  return `{${parts.map(([name, value]) => `"${name}":${value}`).join(',')}}`;
}

function signedDigest(fields: Unsigned): string {
  return `0x${createHash('sha256').update(signedText(fields)).digest('hex')}`;
}

/** The overlay IPv4 address derived from a WireGuard key (base64 of 32 bytes), in 100.64.0.0/10. */
export function overlayAddress(publicKey: string): string {
  const [b0, b1, b2] = createHash('sha256').update(Buffer.from(publicKey, 'base64')).digest();
  return `100.${64 + (b0! % 64)}.${b1}.${1 + (b2! % 254)}`;
}

/**
 * `https://host[:port]`, with or without a slash, in canonical form only. The port is 443 or above the well-known
 * ones: readers of a descriptor connect there, and other services use those ports.
 */
function apiUrl(text: string): URL {
  const plain = /^https:\/\/[A-Za-z0-9.[\]:-]+\/?$/.test(text) && text.length <= maxApiUrlLength;
  if (!plain || !URL.canParse(text)) throw malformed('api_https_addr');
  const url = new URL(text);
  if (url.hostname.endsWith('.') || url.hostname.length > 253) throw malformed('api_https_addr');
  if (url.port !== '' && Number(url.port) < 1024) throw malformed('api_https_addr, whose port is a well-known one');
  return url;
}

function malformed(what: string): DescriptorError {
  return new DescriptorError('malformed', `invalid descriptor: ${what}`);
}
