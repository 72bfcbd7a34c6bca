import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, type Server, createServer as createTcpServer } from 'node:net';
import { createSocket } from 'node:dgram';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../test/support/relay.js';

const ownMain = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

/** A `portal` process that is started again when it ends, which it must not. */
class Supervised {
  child!: ChildProcess;
  restarts = 0;
  lastWords = '';
  #isStopping = false;

  constructor(
    readonly name: string,
    private readonly main: string,
    private readonly args: string[],
    private readonly isUp: RegExp,
  ) {}

  async start(): Promise<string> {
    const child = spawn(process.execPath, ['--enable-source-maps', this.main, ...this.args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    child.once('exit', (code, signal) => {
      if (this.#isStopping) return;
      this.restarts++;
      process.stderr.write(`${this.name} ended with ${code ?? signal}: ${this.lastWords.slice(-2_000)}\n`);
      this.start().catch((error: Error) => process.stderr.write(`${error.message}\n`));
    });
    return await new Promise((resolve, reject) => {
      let text = '';
      const read = (chunk: Buffer) => {
        this.lastWords = (this.lastWords + chunk.toString()).slice(-8_000);
        if (text.length > 100_000) return;
        text += chunk.toString();
        if (this.isUp.test(text)) resolve(text);
      };
      child.stdout?.on('data', read);
      child.stderr?.on('data', read);
      child.once('exit', () => reject(new Error(`${this.name} ended before it was up: ${text}`)));
    });
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }

  /** Bytes of memory in use; 0 between two starts. */
  memory(): number {
    try {
      const status = readFileSync(`/proc/${this.child.pid}/status`, 'latin1');
      return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) * 1024;
    } catch {
      return 0;
    }
  }
}

export interface World {
  relay: Supervised;
  tunnels: Supervised[];
  port: number;
  metricsPort: number;
  ca: string;
  /** Names behind the relay: bytes passed on, and requests. */
  bytesHost: string;
  httpHost: string;
  tcpPort: number;
  udpPort: number;
  stop(): Promise<void>;
}

export const rootHost = 'portal.localhost';

/** A relay with every kind of tunnel, each a process of its own, and the services behind them in this one. */
export async function startWorld(main = ownMain): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'portal-soak-'));
  const [port, metricsPort, firstPort] = [await freePort(), await freePort(), await freePort()];
  const state = join(dir, 'state');
  const url = `https://${rootHost}:${port}`;
  const relay = new Supervised(
    'relay',
    main,
    [
      'relay',
      ...[
        '--portal-url',
        url,
        '--state-dir',
        state,
        '--host',
        '127.0.0.1',
        '--sni-port',
        String(port),
        '--api-port',
        '0',
      ],
      ...['--metrics-port', String(metricsPort), '--tcp-enabled', '--udp-enabled'],
      ...['--min-port', String(firstPort), '--max-port', String(firstPort + 3), '--max-lease-ttl', '600'],
    ],
    /relay started/,
  );
  await relay.start();
  const caFile = join(state, 'development-ca.pem');

  const web = createServer((request, response) => {
    // Bodies come back as they were; without one, as many bytes as the path says.
    const size = Number(/^\/(\d{1,7})$/.exec(request.url ?? '')?.[1] ?? 3);
    if (request.method === 'POST') request.pipe(response);
    else response.end(patternOf(size));
  });
  const echo = createTcpServer(
    { allowHalfOpen: true },
    (socket) => void socket.on('error', () => undefined).pipe(socket),
  );
  const datagrams = createSocket('udp4');
  datagrams.on('message', (message, { port: from, address }) => datagrams.send(message, from, address));
  datagrams.on('error', () => undefined);
  const [webPort, echoPort] = [await listen(web), await listen(echo)];
  datagrams.bind(0, '127.0.0.1');
  await once(datagrams, 'listening');

  const tunnel = (name: string, args: string[]) =>
    new Supervised(
      `tunnel ${name}`,
      main,
      [
        'expose',
        ...args,
        '--relay',
        url,
        '--name',
        name,
        '--identity',
        join(dir, `${name}.json`),
        '--ca',
        caFile,
        '--json',
      ],
      /"urls":\[[^\]]+\]/,
    );
  const tunnels = [
    tunnel('bytes', [String(webPort)]),
    tunnel('http', [String(webPort), '--http']),
    tunnel('ports', ['--tcp', String(echoPort), '--udp', String(datagrams.address().port)]),
    tunnel('ws', [String(webPort), '--carrier', 'ws']),
  ];
  const said: string[] = [];
  for (const each of tunnels) said.push(await each.start());
  return {
    relay,
    tunnels,
    port,
    metricsPort,
    ca: readFileSync(caFile, 'utf8'),
    bytesHost: `bytes.${rootHost}`,
    httpHost: `http.${rootHost}`,
    tcpPort: Number(/"tcp:\/\/[^"]*:(\d+)"/.exec(said[2]!)![1]),
    udpPort: Number(/"udp:\/\/[^"]*:(\d+)"/.exec(said[2]!)![1]),
    async stop() {
      for (const each of [...tunnels, relay]) await each.stop();
      for (const server of [web, echo]) server.close();
      datagrams.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const pattern = Buffer.alloc(1 << 20, 'What is lost, doubled or moved does not fit this line any more. ');

/** Bytes that anybody can check. */
export function patternOf(size: number): Buffer {
  return pattern.subarray(0, Math.min(size, pattern.length));
}
