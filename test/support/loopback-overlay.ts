import { randomBytes, randomInt } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { MakeOverlay } from '../../src/relay/operator-plane.js';
import type { OverlayPart } from '../../src/relay/overlay/overlay.js';
import { makeSites, quickTimes, type Site } from './discovery.js';
import { startTestRelay, type TestRelay } from './relay.js';

/** A relay of a mesh. */
export interface MeshRelay extends TestRelay {
  site: Site;
  /** Its address in the overlay. */
  address: string;
  /** Its signing address, in lower case. */
  signer: string;
}

export interface LoopbackMesh {
  relays: MeshRelay[];
  /** PEM of all of them. */
  ca: string;
  /** Starts one again, which was stopped. */
  restart(index: number): Promise<void>;
  /** No packet comes to this relay in the overlay, or again. */
  cut(index: number, isCut: boolean): void;
}

/**
 * Relays in one process whose overlay is the loopback network, an address of 127.0.0.0/8 each: what paths do is the same
 * as over WireGuard.
 */
export async function startLoopbackMesh(
  t: TestContext,
  count: number,
  overrides: Partial<TestRelay['config']> = {},
): Promise<LoopbackMesh> {
  const names = Array.from({ length: count }, (_, index) => `mesh${index}`);
  const sites = await makeSites(t, names);
  const ca = sites.map(({ caPem }) => caPem).join('');
  const members = sites.map(() => ({
    address: `127.${randomInt(64, 250)}.${randomInt(1, 250)}.${randomInt(1, 250)}`,
    key: randomBytes(32).toString('base64'),
    signer: '',
    isUp: false,
    isCut: false,
  }));
  const make =
    (own: (typeof members)[0]): MakeOverlay =>
    (ports): OverlayPart => ({
      get isUp() {
        return own.isUp;
      },
      get size() {
        return members.filter((other) => other !== own && other.isUp).length;
      },
      get facts() {
        return own.isUp ? { wireguard_public_key: own.key, wireguard_port: 51_820 } : undefined;
      },
      routeTo(relay) {
        const peer = members.find((member) => member.signer === relay);
        if (!own.isUp || !peer || peer === own) return undefined;
        // Nobody listens at the other address: TEST-NET-1 (RFC 5737) is silent.
        return { own: own.address, peer: peer.isCut ? '192.0.2.1' : peer.address, publicKey: peer.key };
      },
      view: () => Promise.resolve({ peers: [], refused: [] }),
      ask: () => Promise.resolve(undefined),
      async start() {
        for (const port of ports) await port.start(own.address);
        own.isUp = true;
      },
      async stop() {
        own.isUp = false;
        for (const port of ports) await port.stop();
      },
    });
  const start = async (index: number): Promise<MeshRelay> => {
    const [site, own] = [sites[index]!, members[index]!];
    const bootstraps = sites.filter((each) => each !== site).map(({ url }) => url);
    const config = {
      portalUrl: site.url,
      sniPort: Number(site.url.port),
      stateDir: site.stateDir,
      discovery: { bootstraps, ca, allowPrivate: true, times: quickTimes },
      ...overrides,
    };
    const relay = await startTestRelay(config, { makeOverlay: make(own) });
    own.signer = relay.relay.address.toLowerCase();
    return { ...relay, site, address: own.address, signer: own.signer };
  };
  const relays: MeshRelay[] = [];
  for (const index of sites.keys()) {
    relays.push(await start(index));
    t.after(() => relays[index]?.stop());
  }
  return {
    relays,
    ca,
    async restart(index) {
      relays[index] = await start(index);
    },
    cut(index, isCut) {
      members[index]!.isCut = isCut;
    },
  };
}
