import { ApiError } from '../../contract/index.js';
import {
  type ClientHello,
  type ServerHello,
  parseCertificate,
  parseClientHello,
  parseEncryptedExtensions,
  parseServerHello,
  splitHandshakeMessages,
} from '../../tls/codec/messages.js';
import { checkRetriedClientHello } from '../../tls/handshake/retry-check.js';
import { cipherSuites, extensionType, handshakeType } from '../../tls/codec/constants.js';
import { certificateVerifyContent, transcriptHash } from '../../tls/codec/transcript.js';

const maxTranscriptBytes = 65_536;

export interface ExpectedHandshake {
  /** The routed ClientHello, as received. */
  clientHello: Buffer;
  hostname: string;
  /** IANA number of the requested signature scheme. */
  scheme: number;
}

export interface CheckedHandshake {
  /** What CertificateVerify signs (RFC 8446 4.4.3). */
  content: Buffer;
  /** DER, leaf first, from the transcript's Certificate message. */
  chain: Buffer[];
}

const tls13 = 0x0304;
const allowedAlpn = 'http/1.1';

/**
 * Checks that a transcript is the beginning of the one handshake that may be signed: the routed ClientHello answered
 * over TLS 1.3, unresumed, up to the Certificate, and nothing else. The signed content is built here, never taken
 * from the request.
 * @throws ApiError `invalid_request`, naming the first rule that is broken
 */
export function checkTranscript(transcript: Buffer, expected: ExpectedHandshake): CheckedHandshake {
  require(transcript.length <= maxTranscriptBytes, `longer than ${maxTranscriptBytes} bytes`);
  try {
    return check(splitHandshakeMessages(transcript), expected);
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError('invalid_request', `transcript: ${(error as Error).message}`, { cause: error });
  }
}

function check(messages: Buffer[], expected: ExpectedHandshake): CheckedHandshake {
  const retried = messages.length === 6;
  const order: number[] = [
    handshakeType.clientHello,
    ...(retried ? [handshakeType.serverHello, handshakeType.clientHello] : []),
    handshakeType.serverHello,
    handshakeType.encryptedExtensions,
    handshakeType.certificate,
  ];
  require(messages.length === order.length &&
    messages.every(
      (message, index) => message[0] === order[index],
    ), 'must be ClientHello, [HelloRetryRequest, ClientHello,] ServerHello, EncryptedExtensions, Certificate');

  const first = messages[0] as Buffer;
  require(first.equals(expected.clientHello), 'the ClientHello is not the one that was routed');
  const firstHello = parseClientHello(first);
  require(firstHello.serverName?.toLowerCase() === expected.hostname, 'the ClientHello names another host');

  let hello = firstHello;
  let retry: ServerHello | undefined;
  if (retried) {
    retry = parseServerHello(messages[1] as Buffer);
    require(retry.isHelloRetryRequest, 'a HelloRetryRequest was expected before the second ClientHello');
    checkServerHello(retry, firstHello);
    hello = parseClientHello(messages[2] as Buffer);
    checkRetriedClientHello(firstHello, hello, retry);
  }

  const [serverHelloBytes, extensionsBytes, certificateBytes] = messages.slice(-3) as [Buffer, Buffer, Buffer];
  const serverHello = parseServerHello(serverHelloBytes);
  require(!serverHello.isHelloRetryRequest, 'a second HelloRetryRequest');
  checkServerHello(serverHello, hello);
  require(!retry || retry.cipherSuite === serverHello.cipherSuite, 'the cipher suite changed after the retry');
  require(!serverHello.extensions.has(extensionType.preSharedKey), 'a resumed handshake has no CertificateVerify');

  const { alpn } = parseEncryptedExtensions(extensionsBytes);
  require(alpn === undefined ||
    (alpn === allowedAlpn && hello.alpn?.includes(alpn)), `the ALPN protocol must be ${allowedAlpn} or none`);

  const { context, entries } = parseCertificate(certificateBytes);
  require(context.length === 0, 'the certificate request context must be empty');
  require(entries.every((entry) => entry.extensions.length === 0), 'certificate entries must bear no extensions');
  require(hello.signatureAlgorithms?.includes(expected.scheme), 'the client did not offer the signature scheme');

  const suite = cipherSuites.get(serverHello.cipherSuite);
  require(suite, 'the cipher suite is not one of TLS 1.3');
  return {
    content: certificateVerifyContent(transcriptHash(suite.hash, messages)),
    chain: entries.map((entry) => entry.certificate),
  };
}

function checkServerHello(answer: ServerHello, hello: ClientHello): void {
  require(answer.selectedVersion === tls13 && hello.supportedVersions.includes(tls13), 'the handshake is not TLS 1.3');
  require(hello.cipherSuites.includes(answer.cipherSuite), 'the client did not offer the cipher suite');
  require(answer.sessionIdEcho.equals(hello.sessionId), 'the session id is not echoed');
}

function require(rule: unknown, broken: string): asserts rule {
  if (!rule) throw new ApiError('invalid_request', `transcript: ${broken}`);
}
