import type { TestContext } from 'node:test';
import { request } from 'undici';
import { freePort } from './relay.js';
import { startServer } from './processes.js';
import { requireTool } from './tools.js';
import { until } from './until.js';

/** A DNS server that answers what a test has told it; any other name has the address 127.0.0.1 and no TXT record. */
export interface TestDns {
  /** `127.0.0.1:PORT` */
  address: string;
  /** Adds a TXT record. */
  addTxt(name: string, value: string): Promise<void>;
  /** Removes the TXT records of a name. */
  clearTxt(name: string): Promise<void>;
}

/** Settles once it answers. */
export async function startDns(t: TestContext): Promise<TestDns> {
  const program = await requireTool('pebble-challtestsrv');
  const [address, management] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const off = ['-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', ''];
  await startServer(t, program, ['-dns01', address, '-management', management, ...off], 'management server');
  const tell = async (path: string, body: object) => {
    const { statusCode, body: answer } = await request(`http://${management}/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    await answer.dump();
    if (statusCode !== 200) throw new Error(`${path}: ${statusCode}`);
  };
  // It says that it is up before it listens.
  await until(
    async () =>
      await tell('clear-txt', { host: 'up.' }).then(
        () => true,
        () => false,
      ),
  );
  return {
    address,
    addTxt: async (name, value) => await tell('set-txt', { host: `${name}.`, value }),
    clearTxt: async (name) => await tell('clear-txt', { host: `${name}.` }),
  };
}
