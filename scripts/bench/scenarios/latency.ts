import { randomBytes } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { requestHead } from '../exchange.js';
import { directRoute } from '../own-route.js';
import { alternate, quantile } from '../rounds.js';
import { type Address, visit } from '../visitor.js';
import type { Scenario } from './scenario.js';

const messageBytes = 64;
const warmUpTrips = 500;
const stretchTrips = 100;

/** What a route adds to the round trip of a small message, against the service reached directly. */
export const latency: Scenario = async (bench) => {
  const { report, routes, options } = bench;
  const { rounds, roundTrips } = options;
  const direct = directRoute(bench);
  const floor = await Echo.open(direct.name, direct.address);
  const echoes = await Promise.all(routes.map(({ name, address }) => Echo.open(name, address)));
  for (const echo of [floor, ...echoes]) await echo.trips(warmUpTrips);

  const perRound: Map<Echo, number[]>[] = [];
  for (let round = 0; round < rounds; round++) {
    // By turns in short stretches, so that what else the machine does meets all of them alike.
    const stretches = Math.max(Math.floor(roundTrips / stretchTrips), 1);
    const results = await alternate([floor, ...echoes], stretches, (echo) => echo.trips(stretchTrips));
    perRound.push(new Map([...results].map(([echo, trips]) => [echo, trips.flat()])));
  }
  for (const echo of [floor, ...echoes]) echo.close();

  const scenario = `echo of ${messageBytes} bytes`;
  for (const [metric, share] of Object.entries({ p50: 0.5, p99: 0.99 })) {
    const of = (echo: Echo) => perRound.map((results) => quantile(results.get(echo)!, share));
    const floors = of(floor);
    const added = echoes.map((echo) => [echo.name, of(echo).map((value, round) => value - floors[round]!)] as const);
    report.add({ scenario, metric: `${metric} added`, unit: 'us', values: Object.fromEntries(added) });
    report.add({ scenario, metric: `${metric} without a relay`, unit: 'us', values: { directly: floors } });
  }
};

/** One connection to the service's echo. */
class Echo {
  private constructor(
    readonly name: string,
    private readonly socket: TLSSocket,
  ) {}

  static async open(name: string, address: Address): Promise<Echo> {
    const socket = await visit(address);
    socket.write(requestHead('echo', 0));
    return new Echo(name, socket);
  }

  /** @returns microseconds of each */
  async trips(count: number): Promise<number[]> {
    const trips: number[] = [];
    for (let trip = 0; trip < count; trip++) {
      const message = randomBytes(messageBytes);
      const began = performance.now();
      this.socket.write(message);
      const answer = await read(this.socket, messageBytes);
      trips.push((performance.now() - began) * 1_000);
      if (!answer.equals(message)) throw new Error('the echo is another');
    }
    return trips;
  }

  close(): void {
    this.socket.destroy();
  }
}

async function read(socket: TLSSocket, length: number): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    let got: Buffer = Buffer.alloc(0);
    const settle = (done: () => void) => {
      socket.off('data', onData).off('close', onClose);
      done();
    };
    const onClose = () => settle(() => reject(new Error('the echo was cut')));
    const onData = (chunk: Buffer) => {
      got = got.length === 0 ? chunk : Buffer.concat([got, chunk]);
      if (got.length >= length) settle(() => resolve(got));
    };
    socket.on('data', onData).on('close', onClose);
  });
}
