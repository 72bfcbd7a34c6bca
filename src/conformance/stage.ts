import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Certificate } from '../relay/certs/certificate.js';
import { RelayBox } from './box/relay-box.js';
import type { VisitOptions, VisitedSession } from './box/visited-session.js';
import { ByHand } from './by-hand.js';
import { Driver, type DriverTask, type SdkRun } from './driver.js';
import { NotMet } from './not-met.js';

/** How long a scenario waits for one thing. */
const patienceMs = 15_000;
/** How long an author has to start the SDK. */
export const startByHandMs = 600_000;
const lookEveryMs = 20;

/** An account for all scenarios; nobody else has use for it. */
const privateKey = `0x${'c0'.repeat(32)}`;

export interface StageOptions {
  /** Starts the driver, by a shell; without it the SDK is started by hand. */
  command: string | undefined;
  certificate: Certificate;
  /** Another one, for the same names. */
  otherCertificate: Certificate;
  caFile: string;
}

type Service = (socket: Socket) => void;

/** One scenario's relay, service and SDK. */
export class Stage {
  readonly visitors = new Set<TLSSocket>();
  /** What the service does with a connection; it echoes unless told otherwise. */
  service: Service = (socket) => void socket.pipe(socket);
  #driver: SdkRun | undefined;
  readonly #open = new Set<Socket>();

  private constructor(
    readonly box: RelayBox,
    readonly options: StageOptions,
    private readonly target: Server,
  ) {}

  static async set(options: StageOptions): Promise<Stage> {
    const target = createServer({ allowHalfOpen: true });
    const stage = new Stage(await RelayBox.start(options.certificate), options, target);
    // boundary: a service of the kit's own.
    target.on('connection', (socket) => {
      stage.#open.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => stage.#open.delete(socket));
      stage.service(socket);
    });
    target.listen(0, '127.0.0.1');
    await once(target, 'listening');
    return stage;
  }

  get driver(): SdkRun {
    if (!this.#driver) throw new Error('the SDK was not started');
    return this.#driver;
  }

  /** The last lines that the SDK wrote on standard error. */
  get log(): string {
    return this.#driver?.log ?? '';
  }

  /** Starts the SDK. One that is started by hand has time for its first call. */
  async start(): Promise<void> {
    const { port } = this.target.address() as AddressInfo;
    const { command, caFile } = this.options;
    const task: DriverTask = {
      relay: this.box.url,
      ca_file: caFile,
      name: 'conformance',
      private_key: privateKey,
      target: `127.0.0.1:${port}`,
    };
    if (command !== undefined) {
      this.#driver = new Driver(command, task);
      return;
    }
    this.#driver = new ByHand(task);
    await this.until('it calls the relay', () => this.box.calls.length > 0, startByHandMs);
  }

  /** Starts the SDK, and waits until it has a lease and a session. */
  async serve(): Promise<void> {
    await this.start();
    await this.until('it has a lease and opens a session', () => this.box.waiting.length > 0);
  }

  /** Waits until something holds. @throws NotMet when it does not come to hold */
  async until(what: string, look: () => boolean, withinMs = patienceMs): Promise<void> {
    const end = performance.now() + withinMs;
    while (!look()) {
      this.driver.check();
      const { stopped } = this.driver;
      if (stopped !== undefined) throw new NotMet(`the SDK stopped (${stopped}) before ${what}`);
      if (performance.now() > end)
        throw new NotMet(`within ${Math.round(withinMs / 1000)} s it does not come to this: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
    }
  }

  /** Lets so much time pass, in which something must not happen. @throws NotMet */
  async never(what: string, look: () => boolean, forMs: number): Promise<void> {
    for (const end = performance.now() + forMs; performance.now() < end;) {
      if (look()) throw new NotMet(what);
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
    }
  }

  /** Waits until the SDK has stopped by itself. @throws NotMet */
  async stops(why: string): Promise<void> {
    const end = performance.now() + patienceMs;
    while (this.driver.stopped === undefined) {
      this.driver.check();
      if (performance.now() > end) throw new NotMet(`it goes on: ${why}`);
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
    }
  }

  /** Takes the session that has waited longest. */
  async session(): Promise<VisitedSession> {
    await this.until('a session waits', () => this.box.waiting.length > 0);
    return this.box.waiting[0] as VisitedSession;
  }

  /** A visitor whose handshake is done. @throws NotMet */
  async visit(options: VisitOptions = {}): Promise<TLSSocket> {
    const session = await this.session();
    try {
      const visitor = await session.visit(options);
      this.visitors.add(visitor);
      return visitor;
    } catch (error) {
      const refused = this.box.refusals.at(-1);
      throw new NotMet(
        `the visitor gets no TLS handshake: ${(error as Error).message}${refused ? `; not signed: ${refused}` : ''}`,
      );
    }
  }

  /** What the visitor receives, up to its end. @throws NotMet when it is cut, or takes too long */
  async receive(visitor: TLSSocket, bytes = Infinity): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let length = 0;
    const take = () => {
      for (
        let chunk: Buffer | null;
        length < bytes && (chunk = visitor.read() as Buffer | null);
        length += chunk.length
      )
        chunks.push(chunk);
    };
    let end = performance.now() + patienceMs;
    for (let before = 0; length < bytes; before = length) {
      take();
      if (visitor.readableEnded || (visitor.destroyed && !visitor.errored)) break;
      const fault = visitor.destroyed ? 'it is cut' : performance.now() > end ? 'it waits in vain' : undefined;
      if (fault) throw new NotMet(`the visitor receives ${length} bytes, and then ${fault}`);
      if (length > before) end = performance.now() + patienceMs;
      await new Promise((resolve) => (length > before ? setImmediate(resolve) : setTimeout(resolve, 5)));
    }
    return Buffer.concat(chunks);
  }

  /** A visitor says something, and hears it again. @throws NotMet */
  async echo(visitor: TLSSocket, text = 'hello'): Promise<void> {
    visitor.write(text);
    const heard = await this.receive(visitor, text.length);
    if (heard.toString() !== text)
      throw new NotMet(`the visitor hears ${JSON.stringify(heard.toString().slice(0, 60))}, not its echo`);
  }

  /** Ends the SDK in its orderly way. */
  async close(): Promise<void> {
    for (const visitor of this.visitors) visitor.destroy();
    await this.driver.close();
  }

  /** Ends all of it, in any state. */
  async clear(): Promise<void> {
    this.#driver?.kill();
    for (const visitor of this.visitors) visitor.destroy();
    for (const socket of this.#open) socket.destroy();
    this.target.close();
    await Promise.all([once(this.target, 'close'), this.box.stop()]);
  }
}
