import type { Duplex } from 'node:stream';
import { addressList, type AddressList, isCidr } from '../../net/address-list.js';
import { UsageError } from '../../sdk/calls/errors.js';
import { forbiddenAnswer } from './http/local-answer.js';
import { serveAnswer } from './http/serve-answer.js';
import type { LocalService, ServedOutcome, VisitorFacts } from './local-service.js';
import { WrappedService } from './wrapped-service.js';

export interface AddressRuleOptions {
  /** Addresses and ranges of the visitors that may come in; all when it is absent. */
  allowIp?: string[] | undefined;
  /** Addresses and ranges of visitors that may not, even where `allowIp` has them. */
  denyIp?: string[] | undefined;
}

/** Which visitors may come in, by their address. */
export class AddressRules {
  readonly #allowed: AddressList | undefined;
  readonly #denied: AddressList;

  /** @throws UsageError when something else than an address or range is given */
  constructor({ allowIp, denyIp = [] }: AddressRuleOptions) {
    for (const text of [...(allowIp ?? []), ...denyIp])
      if (!isCidr(text))
        throw new UsageError(`${JSON.stringify(text)} is not an address or range, such as 192.0.2.0/24`);
    this.#allowed = allowIp && addressList(allowIp);
    this.#denied = addressList(denyIp);
  }

  /** A visitor whose address the relay did not tell is refused: nothing can be said of it. */
  admits(address: string | undefined): boolean {
    if (address === undefined || this.#denied(address)) return false;
    return this.#allowed === undefined || this.#allowed(address);
  }
}

/** A service for some visitors only. */
export class RestrictedService extends WrappedService {
  /** @param options with `raw` the protocol is unknown: visitors are disconnected instead of shown a page */
  constructor(
    service: LocalService,
    private readonly rules: AddressRules,
    private readonly options: { raw?: true } = {},
  ) {
    super(service);
  }

  /** @see LocalService */
  async serve(visitor: Duplex, facts: VisitorFacts, signal: AbortSignal): Promise<ServedOutcome> {
    if (this.rules.admits(facts.addresses?.source.address)) return await this.service.serve(visitor, facts, signal);
    signal.throwIfAborted();
    if (this.options.raw) visitor.destroy();
    else await serveAnswer(visitor, forbiddenAnswer);
    return { received: 0, sent: 0, refused: true };
  }
}
