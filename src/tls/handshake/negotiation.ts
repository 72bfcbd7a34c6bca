/** Negotiation of the parameters from the ClientHello (RFC 8446 4.1.1). */
import { TlsAlertError } from '../codec/alerts.js';
import {
  type CipherSuite,
  chacha20Poly1305Sha256,
  cipherSuites,
  extensionType,
  pskDheKe,
  tls13,
} from '../codec/constants.js';
import { type ClientHello } from '../codec/messages.js';
import { isQuantumSafe } from '../crypto/key-exchange.js';

const ssl3 = 0x0300;

export interface Preferences {
  /** Most preferred first, like the other lists. */
  readonly cipherSuites: readonly number[];
  readonly groups: readonly number[];
  readonly alpn?: readonly string[];
  acceptServerName?(name: string | undefined): boolean;
}

export interface Negotiated {
  readonly suite: CipherSuite;
  readonly group: number;
  /** The client's key share for `group`; absent when a HelloRetryRequest is needed. */
  readonly share?: Buffer | undefined;
  readonly alpn?: string | undefined;
}

/** Throws `TlsAlertError` with the right alert when there is no agreement. */
export function negotiate(hello: ClientHello, preferences: Preferences): Negotiated {
  checkVersion(hello);
  // RFC 8446 4.1.2: exactly the null compression method.
  if (hello.compressionMethods.length !== 1 || hello.compressionMethods[0] !== 0) {
    throw new TlsAlertError('illegal_parameter', 'the client offers compression');
  }
  const suite = chooseSuite(hello, preferences.cipherSuites);
  const { group, share } = chooseGroup(hello, preferences.groups);
  checkPskModes(hello);
  if (preferences.acceptServerName?.(hello.serverName) === false) {
    throw new TlsAlertError('unrecognized_name', 'the server name is not accepted');
  }
  return { suite, group, share, alpn: chooseProtocol(hello, preferences.alpn) };
}

/** The first of the server's signature schemes that the client accepts. */
export function chooseScheme(hello: ClientHello, schemes: readonly number[]): number {
  const offered = hello.signatureAlgorithms;
  if (offered === undefined) throw new TlsAlertError('missing_extension', 'the client sent no signature_algorithms');
  const scheme = schemes.find((candidate) => offered.includes(candidate));
  if (scheme === undefined) throw new TlsAlertError('handshake_failure', 'no signature scheme in common');
  return scheme;
}

function checkVersion(hello: ClientHello): void {
  // RFC 8446 D.5; other legacy versions are ignored when supported_versions is present (4.2.1).
  if (hello.legacyVersion <= ssl3 || !hello.supportedVersions.includes(tls13)) {
    throw new TlsAlertError('protocol_version', 'the client does not speak TLS 1.3');
  }
}

/** The server's order, except that a client with ChaCha20 first gets it: it has no AES in hardware. */
function chooseSuite(hello: ClientHello, preferred: readonly number[]): CipherSuite {
  const favourite = hello.cipherSuites.find((id) => preferred.includes(id));
  const id =
    favourite === chacha20Poly1305Sha256 ? favourite : preferred.find((ours) => hello.cipherSuites.includes(ours));
  const suite = id === undefined ? undefined : cipherSuites.get(id);
  if (suite === undefined) throw new TlsAlertError('handshake_failure', 'no cipher suite in common');
  return suite;
}

/** A group with a client key share saves a round trip, so it takes precedence over the server's order. */
function chooseGroup(hello: ClientHello, preferred: readonly number[]): { group: number; share: Buffer | undefined } {
  const { supportedGroups, keyShares } = hello;
  // RFC 8446 9.2: both extensions are required for a key exchange.
  if (supportedGroups === undefined || keyShares === undefined) {
    throw new TlsAlertError('missing_extension', 'the client sent no supported_groups or no key_share');
  }
  for (const group of keyShares.keys()) {
    if (!supportedGroups.includes(group)) {
      throw new TlsAlertError('illegal_parameter', 'a key share belongs to no offered group');
    }
  }
  const group =
    preferred.find((candidate) => keyShares.has(candidate)) ??
    // The hybrid group is not worth another round trip.
    preferred.find((candidate) => supportedGroups.includes(candidate) && !isQuantumSafe(candidate));
  if (group === undefined) throw new TlsAlertError('handshake_failure', 'no key exchange group in common');
  return { group, share: keyShares.get(group) };
}

/**
 * For a session whose pre-shared key comes from a hybrid key exchange, and so holds against a quantum computer already: a
 * group that costs less, if the client has sent a share of one.
 */
export function cheaperGroup(
  hello: ClientHello,
  preferred: readonly number[],
): { group: number; share: Buffer } | undefined {
  for (const group of preferred) {
    const share = isQuantumSafe(group) ? undefined : hello.keyShares?.get(group);
    if (share) return { group, share };
  }
  return undefined;
}

function checkPskModes(hello: ClientHello): void {
  if (hello.preSharedKey !== undefined && !hello.extensions.has(extensionType.pskKeyExchangeModes)) {
    throw new TlsAlertError('missing_extension', 'pre_shared_key came without psk_key_exchange_modes');
  }
}

/** Whether the client can use a ticket. */
export function acceptsTickets(hello: ClientHello): boolean {
  return hello.pskModes.includes(pskDheKe);
}

/** RFC 7301 3.2: the server's order decides; a client without ALPN gets none. */
function chooseProtocol(hello: ClientHello, protocols: readonly string[] | undefined): string | undefined {
  const offered = hello.alpn;
  if (offered === undefined || protocols === undefined) return undefined;
  const protocol = protocols.find((candidate) => offered.includes(candidate));
  if (protocol === undefined) throw new TlsAlertError('no_application_protocol', 'no application protocol in common');
  return protocol;
}
