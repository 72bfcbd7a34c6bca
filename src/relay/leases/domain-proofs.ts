import { Resolver } from 'node:dns/promises';
import { ApiError } from '../../contract/index.js';
import { ConcurrencyLimiter } from '../../util/concurrency-limiter.js';

/** Deadline of one attempt of a lookup; there are two. */
const lookupTimeoutMs = 3_000;
const lookupTries = 2;
/** Lookups at once, by source address and in all. */
const maxLookupsPerSource = 4;
const maxLookups = 64;
/** A name has few identities. What follows is not read. */
const maxRecords = 64;

const proof = /^portal-identity=(0x[0-9a-f]{40})$/;

/** The name has no such record. Any other error of a lookup says nothing about the name. */
const absent: readonly (string | undefined)[] = ['ENOTFOUND', 'ENODATA'];

/** Where a domain says which identities may have it (RFC 8552). */
export const proofName = (domain: string) => `_portal.${domain}`;

/** Reads which identities a domain names in its TXT records. */
export class DomainProofs {
  readonly #resolver = new Resolver({ timeout: lookupTimeoutMs, tries: lookupTries });
  readonly #bySource = new ConcurrencyLimiter(maxLookupsPerSource);
  #lookups = 0;

  /** @param servers addresses of DNS servers, with a port if it is not 53; the system's when there are none */
  constructor(servers: readonly string[]) {
    if (servers.length > 0) this.#resolver.setServers(servers);
  }

  /**
   * The addresses in lower case; none when the domain has no record.
   * @param source who causes the lookup
   * @throws ApiError `domain_not_proven` when the lookup fails, `rate_limited` when too many are under way
   */
  async addressesOf(domain: string, source: string): Promise<ReadonlySet<string>> {
    if (this.#lookups >= maxLookups || !this.#bySource.add(source))
      throw new ApiError('rate_limited', 'too many domains are being looked up', { retryAfterSeconds: 5 });
    this.#lookups++;
    try {
      return addressesIn(await this.#resolver.resolveTxt(proofName(domain)));
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (absent.includes(code)) return new Set();
      const message = `the TXT record ${proofName(domain)} could not be looked up (${code ?? 'no code'})`;
      throw new ApiError('domain_not_proven', message, { cause, retryAfterSeconds: 30 });
    } finally {
      this.#lookups--;
      this.#bySource.remove(source);
    }
  }

  /** @throws ApiError as `addressesOf`, and `domain_not_proven` when the identity is not among them */
  async prove(domain: string, address: string, source: string): Promise<ReadonlySet<string>> {
    const addresses = await this.addressesOf(domain, source);
    if (addresses.has(address.toLowerCase())) return addresses;
    const message = `set the TXT record ${proofName(domain)} to portal-identity=${address}`;
    throw new ApiError('domain_not_proven', message, { retryAfterSeconds: 30 });
  }
}

/** @param records each of them in chunks of 255 bytes at most */
function addressesIn(records: string[][]): Set<string> {
  const addresses = records.slice(0, maxRecords).map((chunks) => proof.exec(chunks.join('').trim().toLowerCase())?.[1]);
  return new Set(addresses.filter((address) => address !== undefined));
}
