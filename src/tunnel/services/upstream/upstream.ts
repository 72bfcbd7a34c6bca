import type { Socket } from 'node:net';
import { type ProxiedAddresses, proxyHeader } from '../../../protocol/proxy-protocol.js';
import { connectTarget, type UpstreamTls } from './connect-target.js';
import { ServiceHealth } from './service-health.js';
import { type ConnectTarget, hostOf } from './target.js';

export interface UpstreamOptions {
  /** Each connection to the service begins with a PROXY protocol v2 header that holds the visitor's address. */
  proxyProtocol?: boolean | undefined;
  tls?: UpstreamTls | undefined;
}

/** A service that is connected to, and whether it is up. */
export class Upstream extends ServiceHealth {
  readonly switchesProtocols: boolean = true;

  constructor(
    readonly target: ConnectTarget,
    private readonly options: UpstreamOptions = {},
  ) {
    super();
  }

  /** @see Answerer */
  get origin(): { scheme: 'http' | 'https'; host: string } {
    const scheme = 'host' in this.target ? this.target.scheme : undefined;
    return { scheme: scheme ?? 'http', host: hostOf(this.target) };
  }

  /**
   * A new connection, for one visitor.
   * @throws the signal's reason when aborted; what `connectTarget` throws
   */
  async connect(addresses: ProxiedAddresses | undefined, signal: AbortSignal): Promise<Socket> {
    const socket = await this.dial(addresses, signal);
    this.answered();
    return socket;
  }

  /** Called once: what stays open between visitors is to be closed when the signal is aborted. */
  follow(_signal: AbortSignal): void {
    // Nothing does.
  }

  /** The same, before it is known whether the service is up. */
  protected async dial(addresses: ProxiedAddresses | undefined, signal: AbortSignal): Promise<Socket> {
    try {
      const { tls, proxyProtocol } = this.options;
      return await connectTarget(this.target, signal, {
        tls,
        first: proxyProtocol ? proxyHeader(addresses) : undefined,
      });
    } catch (error) {
      if (!signal.aborted) this.failed(error as Error);
      throw error;
    }
  }
}
