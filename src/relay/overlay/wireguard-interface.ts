import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OverlayKey } from './overlay-key.js';
import { type Programs, ProgramError, run } from './programs.js';

/** So that a packet of the overlay fits into one of 1,500 bytes, over IPv6 too. */
const mtu = 1_420;
/** Keeps the mapping of a NAT in front of this relay open. */
const keepaliveSeconds = 25;
/** For `wireguard-go` to make its interface. */
const startTimeoutMs = 5_000;
const startCheckMs = 50;
/** For a `wireguard-go` whose interface was deleted to end: it takes its control socket with it, or that of the next one. */
const endTimeoutMs = 2_000;

export interface InterfaceOptions {
  programs: Programs;
  /** At most 15 characters, of this relay alone. */
  name: string;
  key: OverlayKey;
  /** UDP. */
  port: number;
}

/** Another relay, as this interface has it. */
export interface InterfacePeer {
  /** Base64. */
  readonly publicKey: string;
  /** Its address in the overlay. */
  readonly address: string;
  /** `192.0.2.1:51820` or `[2001:db8::1]:51820` */
  readonly endpoint: string;
}

/** What WireGuard has counted of a peer since it is one. */
export interface PeerCounts {
  /** Milliseconds since the epoch; 0 before the first handshake. */
  readonly lastHandshakeAt: number;
  /** Bytes. */
  readonly received: number;
  readonly sent: number;
}

/**
 * A network interface of WireGuard: the kernel's, or that of `wireguard-go` where the kernel has none. Only what this object has made
 * is changed.
 */
export class WireguardInterface {
  /** `wireguard-go`, where it is used. */
  #process: ChildProcess | undefined;

  private constructor(private readonly options: InterfaceOptions) {}

  /**
   * Makes the interface, in place of one that a killed relay has left.
   * @throws Error in one line
   */
  static async create(options: InterfaceOptions): Promise<WireguardInterface> {
    const made = new WireguardInterface(options);
    await made.#removeLeftover();
    await made.#add();
    try {
      await made.#configure();
    } catch (error) {
      await made.remove();
      throw error;
    }
    return made;
  }

  /** Whether it is there: its process may have ended, or somebody may have deleted it. */
  get isThere(): boolean {
    return Object.hasOwn(networkInterfaces(), this.options.name);
  }

  /** Whether it is the kernel's. */
  get isOfKernel(): boolean {
    return this.#process === undefined;
  }

  /** @throws ProgramError, for instance when another program has a route to the address */
  async addPeer({ publicKey, address, endpoint }: InterfacePeer): Promise<void> {
    const settings = ['endpoint', endpoint, 'persistent-keepalive', String(keepaliveSeconds)];
    await this.#wg('peer', publicKey, 'allowed-ips', `${address}/32`, ...settings);
    try {
      await this.#ip('route', 'add', `${address}/32`, 'dev', this.options.name);
    } catch (error) {
      await this.#wg('peer', publicKey, 'remove').catch(() => undefined);
      throw error;
    }
  }

  /** @throws ProgramError */
  async moveEndpoint({ publicKey, endpoint }: InterfacePeer): Promise<void> {
    await this.#wg('peer', publicKey, 'endpoint', endpoint);
  }

  /** @throws ProgramError */
  async removePeer({ publicKey, address }: InterfacePeer): Promise<void> {
    await this.#wg('peer', publicKey, 'remove');
    await this.#ip('route', 'delete', `${address}/32`, 'dev', this.options.name);
  }

  /** Removes it, with its routes. Never rejects. */
  async remove(): Promise<void> {
    await this.#ip('link', 'delete', 'dev', this.options.name).catch(() => undefined);
    this.#process?.kill();
    await this.#processEnded();
  }

  async #processEnded(): Promise<void> {
    const socket = `/var/run/wireguard/${this.options.name}.sock`;
    const until = performance.now() + endTimeoutMs;
    while (existsSync(socket) && performance.now() < until) await sleep(startCheckMs);
  }

  /** @throws Error when another program has an interface of that name */
  async #removeLeftover(): Promise<void> {
    const { name, programs, key } = this.options;
    const isThere = await this.#ip('link', 'show', 'dev', name).then(
      () => true,
      () => false,
    );
    if (!isThere) return;
    const publicKey = await run(programs.wg, ['show', name, 'public-key']).catch(() => '');
    // One that was made, and not configured any more, has none.
    if (![key.publicKey, '(none)'].includes(publicKey.trim()))
      throw new Error(`the network interface ${name} is another program's: remove it, or the file of the key`);
    await this.#ip('link', 'delete', 'dev', name);
    await this.#processEnded();
  }

  async #add(): Promise<void> {
    const { name, programs } = this.options;
    try {
      await this.#ip('link', 'add', 'dev', name, 'type', 'wireguard');
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error;
      if (/not permitted/i.test(error.output))
        throw new Error('it needs the capability CAP_NET_ADMIN: give the relay that, or run it as root', {
          cause: error,
        });
      if (!programs.wireguardGo) throw new Error('the kernel has no WireGuard: install wireguard-go', { cause: error });
      await this.#startProcess(programs.wireguardGo);
    }
  }

  async #startProcess(program: string): Promise<void> {
    const { name, programs } = this.options;
    const env = { PATH: process.env['PATH'], LOG_LEVEL: 'silent', WG_PROCESS_FOREGROUND: '1' };
    const child = spawn(program, ['-f', name], { stdio: 'ignore', env });
    this.#process = child;
    let end: string | undefined;
    // boundary: cannot throw.
    child.once('error', (error) => (end ??= error.message));
    // boundary: cannot throw.
    child.once('exit', (code, signal) => (end ??= `it ended with ${signal ?? code}`));
    const until = performance.now() + startTimeoutMs;
    while (end === undefined && performance.now() < until) {
      if (
        await run(programs.wg, ['show', name, 'public-key']).then(
          () => true,
          () => false,
        )
      )
        return;
      await sleep(startCheckMs);
    }
    child.kill();
    throw new Error(
      `wireguard-go makes no interface (${end ?? 'it does not answer'}): it needs CAP_NET_ADMIN and /dev/net/tun`,
    );
  }

  async #configure(): Promise<void> {
    const { name, key, port } = this.options;
    try {
      await this.#wg('private-key', key.file, 'listen-port', String(port));
      await this.#ip('address', 'add', `${key.address}/32`, 'dev', name);
      await this.#ip('link', 'set', 'dev', name, 'mtu', String(mtu), 'up');
    } catch (cause) {
      if (!/in use/i.test((cause as Error).message)) throw cause;
      throw new Error(`UDP port ${port} is taken: choose another by --wireguard-port`, { cause });
    }
  }

  /** By public key. */
  async counts(): Promise<Map<string, PeerCounts>> {
    const { programs, name } = this.options;
    // Not `dump`, which tells the private key as well.
    const show = async (what: string) => linesOf(await run(programs.wg, ['show', name, what]));
    const handshakes = new Map((await show('latest-handshakes')).map(([key = '', seconds]) => [key, Number(seconds)]));
    const transfers = await show('transfer');
    return new Map(
      transfers.map(([key = '', received, sent]) => [
        key,
        { lastHandshakeAt: (handshakes.get(key) ?? 0) * 1_000, received: Number(received), sent: Number(sent) },
      ]),
    );
  }

  async #wg(...args: string[]): Promise<void> {
    await run(this.options.programs.wg, ['set', this.options.name, ...args]);
  }

  async #ip(...args: string[]): Promise<void> {
    await run(this.options.programs.ip, args);
  }
}

/** The columns of each line. */
function linesOf(output: string): string[][] {
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'));
}
