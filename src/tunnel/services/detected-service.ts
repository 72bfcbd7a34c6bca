import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { background } from '../../util/boundary.js';
import { serveAnswer } from './http/serve-answer.js';
import { unavailableAnswer } from './http/local-answer.js';
import type { LocalService, ServedOutcome, ServiceContext, VisitorFacts } from './local-service.js';
import type { Protocol } from './upstream/service-health.js';
import type { Upstream } from './upstream/upstream.js';

/** How long a service may take to answer before it counts as one that waits for something else than a request. */
const answerTimeoutMs = 10_000;
/** Enough to recognise any answer. */
const maxAnswerBytes = 1_024;

/**
 * A service whose protocol is found out by asking it: one that answers a HEAD request in HTTP gets requests, any other
 * gets bytes. It is asked at the start, and again after it was down, for it may then be another one. The visitor has no
 * say in it: as bytes its requests could forge headers.
 */
export class DetectedService implements LocalService {
  #protocol: Promise<Protocol> | undefined;
  #isHttp = false;
  /** Of the tunnel: a question serves all visitors, and must not end with the one who came first. */
  #signal: AbortSignal | undefined;

  constructor(
    private readonly upstream: Upstream,
    private readonly services: Record<'http' | 'bytes', LocalService>,
  ) {
    // boundary: cannot throw.
    upstream.on('down', () => (this.#protocol = undefined));
  }

  get upstreams(): readonly Upstream[] {
    return [this.upstream];
  }

  get takesRequests(): boolean {
    return this.#isHttp;
  }

  /** @see LocalService */
  start({ signal }: ServiceContext): Promise<void> {
    this.#signal = signal;
    background('service protocol', async () => {
      await this.#detected(signal).catch(() => undefined);
    });
    return Promise.resolve();
  }

  /** @see LocalService */
  async serve(visitor: Duplex, facts: VisitorFacts, signal: AbortSignal): Promise<ServedOutcome> {
    // An error before the service is connected must not be one that nobody handles.
    const ignore = () => undefined;
    visitor.on('error', ignore);
    let protocol: Protocol;
    try {
      protocol = await this.#detected(signal);
    } catch {
      signal.throwIfAborted();
      await serveAnswer(visitor, unavailableAnswer);
      return { received: 0, sent: 0, unavailable: true };
    } finally {
      visitor.off('error', ignore);
    }
    signal.throwIfAborted();
    if (visitor.destroyed) return { received: 0, sent: 0, error: visitor.errored ?? undefined };
    return await this.services[protocol === 'http' ? 'http' : 'bytes'].serve(visitor, facts, signal);
  }

  async #detected(signal: AbortSignal): Promise<Protocol> {
    const asked = (this.#protocol ??= this.#ask(this.#signal ?? signal));
    try {
      return await asked;
    } catch (error) {
      if (this.#protocol === asked) this.#protocol = undefined;
      throw error;
    }
  }

  /** @throws what the service's `connect` throws */
  async #ask(signal: AbortSignal): Promise<Protocol> {
    const socket = await this.upstream.connect(undefined, signal);
    const { host } = this.upstream.origin;
    const cut = () => void socket.destroy();
    const timer = setTimeout(cut, answerTimeoutMs);
    signal.addEventListener('abort', cut, { once: true });
    let answer = '';
    // boundary: cannot throw.
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1', 0, maxAnswerBytes);
      if (answer.length >= maxAnswerBytes || !mayBecomeHttp(answer)) cut();
    });
    // boundary: cannot throw.
    socket.once('end', cut).on('error', cut);
    socket.write(`HEAD / HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: portal\r\nConnection: close\r\n\r\n`, 'latin1');
    await once(socket, 'close');
    clearTimeout(timer);
    signal.removeEventListener('abort', cut);
    signal.throwIfAborted();
    const protocol = protocolOf(answer);
    this.#isHttp = protocol === 'http';
    this.upstream.emit('recognised', protocol);
    return protocol;
  }
}

/** Whether more is needed to tell: the status line, or, of a refusal, its text. */
function mayBecomeHttp(answer: string): boolean {
  if (answer.length < 'HTTP/1.1 '.length) return 'HTTP/1.'.startsWith(answer.slice(0, 7)) || 'ICY '.startsWith(answer);
  return /^HTTP\/1\.[01] 400 /.test(answer);
}

function protocolOf(answer: string): Protocol {
  const isRefusal = /^HTTP\/1\.[01] 400 /.test(answer);
  // A TLS alert, or the page with which servers answer plain HTTP on their HTTPS port.
  if (answer.startsWith('\x15\x03') || (isRefusal && /https/i.test(answer))) return 'tls';
  return /^(?:HTTP\/1\.|ICY )/.test(answer) ? 'http' : 'bytes';
}
