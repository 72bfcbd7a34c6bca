import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { loadOverlayKey } from '../../src/relay/overlay/overlay-key.js';
import {
  type Machine,
  makeRelaySites,
  type RelaySite,
  type RunningRelay,
  startMachines,
  startRelayAt,
} from './namespaces.js';
import { requireTool } from './tools.js';
import { until } from './until.js';

/** A relay of the mesh, on a machine of its own. */
export interface Node extends RelaySite {
  relay: RunningRelay;
  /** In the overlay. */
  address: string;
}

export interface Mesh {
  nodes: Node[];
  /** File with the certificates of all. */
  ca: string;
  /** Starts a relay once more. */
  start(site: RelaySite): Promise<RunningRelay>;
  /** Machines without a relay. */
  others: Machine[];
}

/** Relays in network namespaces that know each other, with real WireGuard between them. */
export async function startMesh(t: TestContext, count: number, spare = 0, more: string[] = []): Promise<Mesh> {
  for (const tool of ['wg', 'wireguard-go', 'nft', 'curl'] as const) await requireTool(tool);
  const machines = await startMachines(t, count + spare);
  const { sites, ca } = await makeRelaySites(t, machines.slice(0, count));
  const args = ['--discovery', '--discovery-allow-private', '--discovery-ca', ca, '--overlay', ...more];
  const start = async (site: RelaySite) => {
    const bootstraps = sites.filter((each) => each !== site).map(({ url }) => url);
    return await startRelayAt(site, [...args, '--bootstraps', bootstraps.join()]);
  };
  const nodes: Node[] = [];
  for (const site of sites) {
    const relay = await start(site);
    const { address } = await loadOverlayKey(join(site.stateDir, 'wireguard.key'));
    nodes.push({ ...site, relay, address });
  }
  return { nodes, start, ca, others: machines.slice(count) };
}

/** The name of its interface, as it has logged it. */
export const interfaceOf = ({ relay }: Node) => /"interface":"(portal[0-9a-f]{8})"/.exec(relay.log())?.[1] ?? 'none';

/** Addresses of its peers. */
export const peersOf = async (node: Node) =>
  (await node.machine.run('wg', 'show', interfaceOf(node), 'allowed-ips').catch(() => ''))
    .trim()
    .split('\n')
    .map((line) => line.split('\t')[1])
    .filter(Boolean)
    .sort();

const othersOf = (nodes: Node[], node: Node) =>
  nodes
    .filter((each) => each !== node)
    .map(({ address }) => `${address}/32`)
    .sort();

/** Until each relay has all others as peers. */
export async function settled(nodes: Node[]): Promise<void> {
  for (const node of nodes) {
    const wanted = othersOf(nodes, node).join();
    await until(async () => (await peersOf(node)).join() === wanted, { deadlineMs: 90_000 }).catch((cause: unknown) => {
      const logs = nodes.map(({ relay }) => relay.log()).join('\n');
      throw new Error(`the relays are no mesh: ${logs}`, { cause });
    });
  }
}

export const fetchFrom = async ({ run }: Machine, url: string, ...args: string[]) =>
  await run('curl', '--silent', '--show-error', '--fail-with-body', '--max-time', '5', ...args, url);

/** Why a fetch has failed. */
export const fails = async (fetching: Promise<string>) =>
  await fetching.then(
    (text) => `answered: ${text}`,
    (error: Error) => /(\(\d+\) [^\n]*)/.exec(error.message)?.[1] ?? error.message,
  );
