import { type Field, named } from './message/fields.js';

/** Names of this machine for itself: a service that is reached by one of them may call itself by another. */
const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Maps the public origin to the service's own in requests, and back in responses, so that a service that checks where
 * its requests come from sees them come from its own pages. Other origins are left alone: a cross-site request still
 * shows as one.
 */
export class Origins {
  readonly #public: string;
  readonly #local: string;
  /** `host:port` of the service, and its other names. */
  readonly #localHosts: Set<string>;
  readonly #localNames: Set<string>;

  /**
   * @param publicHost as the visitor's Host header has it
   * @param local the service's own host, with its port
   */
  constructor(publicHost: string, local: { scheme: 'http' | 'https'; host: string }) {
    const standardPort = local.scheme === 'https' ? ':443' : ':80';
    const host = local.host.endsWith(standardPort) ? local.host.slice(0, -standardPort.length) : local.host;
    this.#public = `https://${publicHost.toLowerCase().replace(/:443$/, '')}`;
    this.#local = `${local.scheme}://${host}`;
    const [name, port] = splitHost(host);
    const names = loopbackNames.includes(name) ? loopbackNames : [name];
    this.#localNames = new Set(names.map((each) => each.replaceAll(/[[\]]/g, '')));
    this.#localHosts = new Set(names.map((each) => each + port));
  }

  /** Whether it is the public origin. */
  isOwn(origin: string | undefined): boolean {
    return origin?.toLowerCase() === this.#public;
  }

  /** @returns undefined for a field that stays as it is */
  ofRequest(given: Field): Field | undefined {
    const { key, value } = given;
    if (key === 'origin' && this.isOwn(value)) return named(given, this.#local);
    if (key !== 'referer' || !this.isOwn(originOf(value))) return undefined;
    return named(given, this.#local + value.slice(this.#public.length));
  }

  /** @returns undefined for a field that stays as it is */
  ofResponse(given: Field): Field | undefined {
    const { key, value } = given;
    if (key === 'location' || key === 'content-location' || key === 'access-control-allow-origin') {
      const origin = originOf(value);
      if (origin === undefined || !this.#isLocal(origin)) return undefined;
      return named(given, this.#public + value.slice(origin.length));
    }
    if (key === 'set-cookie') {
      const kept = value.split(';').filter((attribute) => !this.#isLocalDomain(attribute));
      return named(given, kept.join(';'));
    }
    return undefined;
  }

  #isLocal(origin: string): boolean {
    // Also `https://` and `//`: the service knows from X-Forwarded-Proto how its visitors came.
    const host = /^(?:https?:)?\/\/([^/]*)$/i.exec(origin)?.[1]?.toLowerCase();
    return host !== undefined && this.#localHosts.has(host);
  }

  #isLocalDomain(attribute: string): boolean {
    const [name = '', value = ''] = attribute.split('=').map((part) => part.trim().toLowerCase());
    return name === 'domain' && this.#localNames.has(value.startsWith('.') ? value.slice(1) : value);
  }
}

/** What comes before the path of a URL, as it was written. */
function originOf(url: string): string | undefined {
  return /^(?:https?:)?\/\/[^/?#\\@]*(?=[/?#]|$)/i.exec(url)?.[0];
}

/** @returns the name, and the port with its colon */
function splitHost(host: string): [string, string] {
  const [, name = host, port = ''] = /^(\[[^\]]*\]|[^:]*)(:\d+)?$/.exec(host) ?? [];
  return [name.toLowerCase(), port];
}
