import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import * as tls from 'node:tls';
import { ApiError, isErrorCode } from '../../contract/errors.js';
import { type AddressRule, lookupAllowed, refusedLiteral } from '../../sdk/transport/address-rule.js';
import { withDeadline } from '../../sdk/calls/deadline.js';
import type { TlsDialOptions } from '../../sdk/transport/dial-tls.js';
import { AnswerError, NetworkError, asNetworkError } from '../../sdk/calls/errors.js';
import { proxyFor } from '../../sdk/transport/http-proxy.js';
import { lookupWithLoopback } from '../../sdk/transport/loopback.js';
import { guardSessionErrors } from '../../streams/quic/error-guards.js';
import { QuicDatagrams, closeQuietly } from '../../streams/quic/quic-datagrams.js';
import { readQuicMessage } from '../../streams/quic/quic-message.js';
import { type QuicPackage, type QuicSession, loadQuic, quicOptions } from '../../streams/quic/quic-package.js';
import type { DatagramCarrier, DatagramDialRequest } from './datagram-carrier.js';

/** Deadlines for one address of a relay over QUIC, and for the whole dial. */
const quicAttemptMs = 2_000;
const quicDialTimeoutMs = 6_000;

/**
 * Datagrams as QUIC DATAGRAM frames: without head-of-line blocking. Needs the optional package and a path for UDP.
 */
export class QuicDatagramCarrier implements DatagramCarrier {
  readonly name = 'quic';
  readonly #relay: URL;
  readonly #dialing: Pick<TlsDialOptions, 'ca' | 'proxy' | 'addresses'>;
  readonly #load: () => Promise<QuicPackage>;

  /** @param load replaces the installed package in tests */
  constructor(relay: URL, dialing: Pick<TlsDialOptions, 'ca' | 'proxy' | 'addresses'>, load = loadQuic) {
    this.#relay = relay;
    this.#dialing = dialing;
    this.#load = load;
  }

  /** @throws in addition to other carriers' errors: Error in one line when the package is missing */
  async dial({ accessToken, publicPort, signal }: DatagramDialRequest): Promise<QuicDatagrams> {
    const { host } = this.#relay;
    // Bypassing a configured proxy would reveal this machine's address.
    if (proxyFor(this.#relay, this.#dialing.proxy))
      throw new NetworkError('unreachable', `${host} is reached through a proxy, which does not carry QUIC`);
    const quic = await this.#load();
    const expired = () => new NetworkError('timeout', `${host} did not answer over QUIC, nor let UDP through`);
    return await withDeadline(quicDialTimeoutMs, signal, expired, async (dialSignal) => {
      const session = await this.#connect(quic, publicPort, dialSignal);
      const giveUp = () => closeQuietly(session);
      dialSignal.addEventListener('abort', giveUp, { once: true });
      try {
        // Set up before the response, so that no datagram right after it is missed.
        const channel = new QuicDatagrams(session);
        const stream = session.openStream();
        stream.on('error', () => undefined);
        stream.end(JSON.stringify({ access_token: accessToken }));
        const answer = await readQuicMessage(stream).catch((cause: unknown) => {
          throw new NetworkError('unreachable', `${host} closed the QUIC carrier without an answer`, { cause });
        });
        check(answer);
        dialSignal.throwIfAborted();
        stream.resume();
        return channel;
      } catch (error) {
        closeQuietly(session);
        throw error;
      } finally {
        dialSignal.removeEventListener('abort', giveUp);
      }
    });
  }

  /** Tries one address per address family. */
  async #connect(quic: QuicPackage, port: number, signal: AbortSignal): Promise<QuicSession> {
    const { hostname, host } = this.#relay;
    const servername = hostname.replace(/^\[(.*)\]$/, '$1');
    let failure: unknown;
    for (const address of await addressesOf(servername, this.#dialing.addresses)) {
      signal.throwIfAborted();
      try {
        const session = guardSessionErrors(
          quic.connectQuic(
            { address, port, servername },
            { ...quicOptions, ca: trusted(this.#dialing.ca), connectTimeoutMs: quicAttemptMs, signal },
          ),
        );
        await session.ready();
        return session;
      } catch (error) {
        failure = error;
      }
    }
    signal.throwIfAborted();
    throw new NetworkError('unreachable', `cannot reach ${host} over QUIC`, { cause: failure });

    async function addressesOf(name: string, rule: AddressRule | undefined): Promise<string[]> {
      const refused = rule && refusedLiteral(name, rule);
      if (refused) throw asNetworkError(refused, host);
      if (isIP(name) !== 0) return [name];
      const lookup = rule ? lookupAllowed(rule) : lookupWithLoopback;
      const found = await new Promise<LookupAddress[]>((resolve, reject) => {
        lookup(name, { all: true }, (error, addresses) => {
          if (error) reject(asNetworkError(error, host));
          else resolve(addresses as LookupAddress[]);
        });
      });
      const firstOfEach = found.filter(
        ({ family }, index) => found.findIndex((one) => one.family === family) === index,
      );
      return firstOfEach.map(({ address }) => address);
    }
  }
}

/** @throws ApiError when the relay refuses; AnswerError for an invalid response */
function check(answer: unknown): void {
  const { ok, error } = (typeof answer === 'object' && answer !== null ? answer : {}) as Record<string, unknown>;
  if (ok === true) return;
  if (ok === false && isErrorCode(error)) throw new ApiError(error);
  throw new AnswerError('the answer over QUIC is not one of a Portal relay');
}

/**
 * PEM of all trusted certificates: the library uses neither Node's root certificates nor those of the environment.
 */
function trusted(ca: string | Buffer | undefined): string {
  if (ca !== undefined) return ca.toString();
  // Available since Node 22.15; the package needs a later version.
  const { getCACertificates } = tls as { getCACertificates?: (kind: 'default') => string[] };
  return (getCACertificates?.('default') ?? tls.rootCertificates).join('\n');
}
