import { EventEmitter } from 'node:events';
import type { Credentials } from '../../tls/index.js';

export interface CertificateStatus {
  /** One line of text for people. */
  message: string;
  error?: Error | undefined;
}

export interface OwnCertificateEvents {
  /** There is a certificate, for the first time or a new one. */
  changed: [];
  status: [status: CertificateStatus];
}

/** A certificate of the tunnel's own, for one name. */
export abstract class OwnCertificate extends EventEmitter<OwnCertificateEvents> {
  #current: Credentials | undefined;

  /** Undefined until there is one. */
  get current(): Credentials | undefined {
    return this.#current;
  }

  /** What answers a connection of ACME's challenge `tls-alpn-01`, while one is awaited. */
  get challenge(): Credentials | undefined {
    return undefined;
  }

  /**
   * The name is routed here now. Called at each registration.
   * @param signal of the tunnel: relays that it leaves do not matter
   */
  abstract serve(signal: AbortSignal): void;

  protected change(credentials: Credentials): void {
    this.#current = credentials;
    this.emit('changed');
  }
}

/** The own certificates of a tunnel: one for each name, which relays may share. */
export abstract class OwnCertificates extends EventEmitter<Pick<OwnCertificateEvents, 'status'>> {
  readonly #byHostname = new Map<string, OwnCertificate>();
  #signal: AbortSignal | undefined;

  /** The same object for the same hostname. */
  at(hostname: string): OwnCertificate {
    const known = this.#byHostname.get(hostname);
    if (known) return known;
    const made = this.make(hostname);
    // Each relay of a tunnel waits for it.
    made.setMaxListeners(0).on('status', (status) => this.emit('status', status));
    this.#byHostname.set(hostname, made);
    return made;
  }

  /**
   * Called before anything else.
   * @param signal aborted when the tunnel closes
   * @throws UsageError when certificates cannot be had at all
   */
  async start(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
  }

  /** A name is routed to the tunnel now. */
  serve(hostname: string): void {
    if (this.#signal) this.at(hostname).serve(this.#signal);
  }

  /** Ends what is still under way. */
  async close(): Promise<void> {}

  protected abstract make(hostname: string): OwnCertificate;
}
