import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Agent, type RequestOptions, request } from 'node:https';
import { promisify } from 'node:util';
import { findTool } from './tools.js';
import type { Address } from './visitor.js';
import type { Workshop } from './workshop.js';

export interface HttpRequest {
  method: 'GET' | 'POST';
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

export interface HttpLoad {
  /** `wrk`, or the bench's own client. */
  name: string;
  /** Requests, one after another on each connection, for so many seconds. @returns how many were answered by 200 */
  run(address: Address, what: HttpRequest, connections: number, seconds: number): Promise<number>;
}

/** wrk where it is found, else a client on node:https, which uses more of the processor that all share. */
export async function httpLoad(workshop: Workshop): Promise<HttpLoad> {
  const wrk = await findTool('wrk');
  return wrk ? wrkLoad(workshop, wrk) : nodeLoad;
}

function wrkLoad(workshop: Workshop, wrk: string): HttpLoad {
  return {
    name: 'wrk',
    async run({ port, servername }, { method, path, headers = {}, body }, connections, seconds) {
      const script = workshop.file('load.lua');
      const lines = [
        // Names under localhost are not in DNS; the server name sent stays that of the URL.
        'function wrk.resolve(host, service) wrk.addrs = wrk.lookup("127.0.0.1", service) end',
        `wrk.method = ${quoted(method)}`,
        ...Object.entries(headers).map(([name, value]) => `wrk.headers[${quoted(name)}] = ${quoted(value)}`),
        ...(body === undefined ? [] : [`wrk.body = ${quoted(body)}`]),
        'function done(summary) local e = summary.errors',
        'print("RESULT " .. summary.requests .. " " .. e.status + e.read + e.write + e.timeout + e.connect) end',
      ];
      writeFileSync(script, `${lines.join('\n')}\n`, { mode: 0o600 });
      const url = `https://${servername}:${port}${path}`;
      const args = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`, '-s', script, url];
      const { stdout } = await promisify(execFile)(wrk, args, { timeout: (seconds + 30) * 1_000 });
      const [, requests, errors] = /^RESULT (\d+) (\d+)$/m.exec(stdout) ?? [];
      if (!requests || errors !== '0') throw new Error(`wrk met errors:\n${stdout}`);
      return Number(requests);
    },
  };
}

const nodeLoad: HttpLoad = {
  name: 'a client on node:https',
  async run({ port, servername, ca }, what, connections, seconds) {
    const agent = new Agent({ keepAlive: true, maxSockets: connections });
    const options: RequestOptions = {
      ...{ host: '127.0.0.1', port, servername, ca, agent, method: what.method, path: what.path },
      headers: { Host: `${servername}:${port}`, ...what.headers },
    };
    const until = performance.now() + seconds * 1_000;
    let answered = 0;
    const worker = async () => {
      while (performance.now() < until) {
        const status = await once(options, what.body);
        if (status !== 200) throw new Error(`${what.method} ${what.path} was answered by ${status}`);
        answered++;
      }
    };
    try {
      await Promise.all(Array.from({ length: connections }, worker));
    } finally {
      agent.destroy();
    }
    return answered;
  },
};

function once(options: RequestOptions, body: string | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(options, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0));
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

/** A string as Lua writes it; what is given here is printable ASCII. */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
