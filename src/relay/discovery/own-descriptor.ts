import { discoveryVersion } from '../../sdk/discovery/relay-descriptor.js';
import { signDescriptor, type WireDescriptor } from '../../sdk/discovery/relay-descriptor.js';

/** Share of its lifetime after which the relay's own descriptor is signed again on request: 15 seconds. */
const descriptorReissueShare = 0.05;

export interface OwnFacts {
  supports_overlay: boolean;
  /** Present when there is an overlay. */
  wireguard_public_key?: string;
  wireguard_port?: number;
  supports_udp: boolean;
  supports_tcp: boolean;
  active_connections: number;
  tcp_bps: number;
}

/** This relay's descriptor, signed again when the last one is too old. */
export class OwnDescriptor {
  #held: { descriptor: WireDescriptor; issuedAt: number } | undefined;

  /** @param facts reads them */
  constructor(
    private readonly relay: {
      portalUrl: URL;
      address: string;
      /** 0x and 64 hex digits, of `address`. */
      privateKey: string;
      lifetimeMs: number;
    },
    private readonly facts: () => OwnFacts,
  ) {}

  current(now = Date.now()): WireDescriptor {
    const { portalUrl, address, privateKey, lifetimeMs } = this.relay;
    const held = this.#held;
    const facts = this.facts();
    const isYoung = held && now >= held.issuedAt && now - held.issuedAt < lifetimeMs * descriptorReissueShare;
    // Others look only once a minute, so that a change has to be there when they do.
    if (isYoung && held.descriptor.supports_overlay === facts.supports_overlay) return held.descriptor;
    // Others accept only a newer descriptor, so time never goes back, even when the clock does.
    const issuedAt = Math.max(now, (held?.issuedAt ?? 0) + 1);
    const fields = {
      address,
      version: discoveryVersion,
      issued_at: new Date(issuedAt).toISOString(),
      expires_at: new Date(issuedAt + lifetimeMs).toISOString(),
      api_https_addr: portalUrl.origin,
      ...facts,
    };
    const descriptor = signDescriptor(fields, privateKey);
    this.#held = { descriptor, issuedAt };
    return descriptor;
  }
}
