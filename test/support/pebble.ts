import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Agent, request } from 'undici';
import { certificateFiles } from './certificates.js';
import type { TestDns } from './dns.js';
import { startServer } from './processes.js';
import { freePort } from './relay.js';
import { requireTool } from './tools.js';
import { listening, temporaryDirectory } from './tunnel.js';
import { until } from './until.js';

/** Pebble, an ACME CA for tests. It refuses a part of all nonces, as a CA may (RFC 8555 6.5). */
export interface TestCa {
  directory: string;
  /** PEM, to trust for the CA's API. */
  apiCa: string;
  apiCaFile: string;
  apiKeyFile: string;
  /** PEM of the root that its certificates chain to. */
  root: string;
}

/** @param tlsPort where it looks for challenges, on the addresses that `dns` has. Settles once it answers. */
export async function startPebble(
  t: TestContext,
  { dns, tlsPort, eabKid }: { dns: Pick<TestDns, 'address'>; tlsPort: number; eabKid?: { id: string; key: string } },
): Promise<TestCa> {
  const program = await requireTool('pebble');
  const certificate = await certificateFiles('localhost');
  t.after(() => certificate.remove());
  const [port, management] = [await freePort(), await freePort()];
  const config = join(temporaryDirectory(t), 'pebble.json');
  const pebble = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${management}`,
    certificate: certificate.certFile,
    privateKey: certificate.keyFile,
    httpPort: 1,
    tlsPort,
    externalAccountBindingRequired: eabKid !== undefined,
    externalAccountMACKeys: eabKid === undefined ? {} : { [eabKid.id]: eabKid.key },
  };
  writeFileSync(config, JSON.stringify({ pebble }));
  const env = { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '20' };
  await startServer(t, program, ['-config', config, '-dnsserver', dns.address], 'ACME directory available', env);
  const dispatcher = new Agent({ connect: { ca: certificate.certPem } });
  t.after(() => dispatcher.close());
  const root = await until(async () => {
    const answer = await request(`https://localhost:${management}/roots/0`, { dispatcher }).catch(() => undefined);
    return await answer?.body.text();
  });
  return {
    directory: `https://localhost:${port}/dir`,
    apiCa: certificate.certPem,
    apiCaFile: certificate.certFile,
    apiKeyFile: certificate.keyFile,
    root,
  };
}

/** A CA that says when to renew (RFC 9773), as Pebble of Debian does not: its directory, with one address more. */
export async function withRenewalInfo(t: TestContext, ca: TestCa, windowOf: (asked: string[]) => [number, number]) {
  const asked: string[] = [];
  const dispatcher = new Agent({ connect: { ca: ca.apiCa } });
  t.after(() => dispatcher.close());
  const server = createServer({ cert: ca.apiCa, key: readFileSync(ca.apiKeyFile) }, (incoming, response) => {
    const answer = async () => {
      if (incoming.url === '/dir') {
        const { body } = await request(ca.directory, { dispatcher });
        return { ...((await body.json()) as object), renewalInfo: `https://localhost:${port}/ari` };
      }
      asked.push(incoming.url!.slice('/ari/'.length));
      const [start, end] = windowOf(asked).map((ms) => new Date(Date.now() + ms).toISOString());
      return { suggestedWindow: { start, end } };
    };
    answer().then(
      (body) => response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body)),
      () => response.writeHead(500).end(),
    );
  });
  const { port } = await listening(t, server, 0);
  return { asked, directory: `https://localhost:${port}/dir` };
}
