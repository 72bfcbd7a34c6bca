import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer, type Server, connect } from 'node:net';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import type { RelayConfig } from '../../src/relay/config/config.js';
import { loadPrivateKeyFile } from '../../src/sdk/identity/identity-file.js';
import { parseRedisAddress } from '../../src/relay/store/redis/redis-address.js';
import { certificateFiles } from './certificates.js';
import type { RedisServer } from './redis.js';
import { freePort, startTestRelay, type TestRelay } from './relay.js';
import { temporaryDirectory } from './tunnel.js';
import { until } from './until.js';

/** A relay with several nodes. */
export interface Nodes {
  nodes: TestRelay[];
  /** `https://portal.localhost:PORT` of the balancer in front. */
  url: string;
  /** The nodes that get no new connections. */
  out: Set<number>;
  /** Starts one again, which was stopped. */
  restart(index: number): Promise<void>;
}

const rootHost = 'portal.localhost';

/** Nodes in one process, with a store that they share and a balancer in front of them, which takes them in turn. */
export async function startNodes(
  t: TestContext,
  redis: Pick<RedisServer, 'url'>,
  count: number,
  overrides: Partial<RelayConfig> | ((index: number) => Partial<RelayConfig>) = {},
): Promise<Nodes> {
  const certificate = await certificateFiles(rootHost);
  t.after(() => certificate.remove());
  const folders = Array.from({ length: count }, () => temporaryDirectory(t));
  await loadPrivateKeyFile(join(folders[0]!, 'identity.json'));
  for (const folder of folders.slice(1))
    copyFileSync(join(folders[0]!, 'identity.json'), join(folder, 'identity.json'));
  const nodes: TestRelay[] = [];
  const out = new Set<number>();
  const port = await startBalancer(t, nodes, out);
  const start = async (index: number) => {
    const address = { host: '127.0.0.1', port: await freePort() };
    nodes[index] = await startTestRelay({
      portalUrl: new URL(`https://${rootHost}:${port}`),
      stateDir: folders[index]!,
      certificateFiles: certificate,
      cluster: { store: parseRedisAddress(redis.url), address },
      ...(typeof overrides === 'function' ? overrides(index) : overrides),
    });
  };
  t.after(() => Promise.all(nodes.map((node) => node.stop())));
  for (const index of folders.keys()) await start(index);
  return {
    nodes,
    url: `https://${rootHost}:${port}`,
    out,
    async restart(index) {
      await start(index);
      out.delete(index);
    },
  };
}

/** A load balancer for TCP, which knows nothing of what passes. */
async function startBalancer(t: TestContext, nodes: TestRelay[], out: ReadonlySet<number>): Promise<number> {
  let turn = 0;
  const server: Server = createServer({ allowHalfOpen: true }, (visitor) => {
    const up = [...nodes.keys()].filter((index) => !out.has(index));
    const node = nodes[up[turn++ % up.length] ?? -1];
    if (!node) return void visitor.destroy();
    const onward = connect({ host: '127.0.0.1', port: node.publicPort, allowHalfOpen: true });
    for (const [from, to] of [
      [visitor, onward],
      [onward, visitor],
    ] as const) {
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
    t.after(() => visitor.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as { port: number }).port;
}

/** Waits until all nodes know the others. */
export async function introduced({ nodes }: Nodes): Promise<void> {
  await until(() => nodes.every((node) => node.relay.otherNodes === nodes.length - 1));
}
