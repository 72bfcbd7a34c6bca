import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { quicAlpn } from '../../protocol/headers.js';

// The part of `@currentspace/http3` that is used, since the package is optional and not there to be compiled against.

export interface QuicCloseInfo {
  errorCode: number;
  reason: string;
}

/** One QUIC connection, on either side. */
export interface QuicSession extends EventEmitter<{
  /** The peer opened a stream of whichever kind. */
  stream: [stream: Duplex & { readonly id: number }];
  datagram: [datagram: Buffer];
  close: [info: QuicCloseInfo];
  error: [error: Error];
}> {
  readonly remoteAddress?: string;
  openStream(): Duplex;
  /** @returns false when it was not even queued; one that the path cannot take is given up without a word */
  sendDatagram(datagram: Buffer): boolean;
  ping(): boolean;
  getMetrics(): QuicMetrics | null;
  close(errorCode?: number, reason?: string): unknown;
}

export interface QuicMetrics {
  /** Largest UDP payload that the path was seen to take. */
  pmtu?: number;
  /** Datagrams that wait for congestion control to let them go. */
  datagramQueueDepth: number;
}

export interface QuicServer extends EventEmitter<{
  session: [session: QuicSession];
  error: [error: Error];
}> {
  listen(port: number, host: string): Promise<unknown>;
  close(): Promise<void>;
}

/** Common to both sides. `portable` is the native code by poll(2): the WASM mode must not face anybody. */
interface QuicOptions {
  runtimeMode: 'portable';
  alpn: readonly string[];
  enableDatagrams: true;
  maxIdleTimeoutMs: number;
  initialMaxStreamsBidi: number;
  /** Bytes of all streams together that the peer may send without being read. */
  initialMaxData: number;
}

export interface QuicPackage {
  createQuicServer(
    options: QuicOptions & {
      key: string;
      cert: string;
      maxConnections: number;
      /** False: who opens a connection must first show that its address is its own (RFC 9000 8.1.2). */
      disableRetry: boolean;
    },
  ): QuicServer;
  connectQuic(
    endpoint: { address: string; port: number; servername: string },
    options: QuicOptions & { ca: string; connectTimeoutMs: number; signal: AbortSignal },
  ): QuicSession & {
    /** Settles with the end of the handshake. */
    ready(): Promise<void>;
  };
}

/** What both sides say; only the idle timeout of the two is the shorter one's (RFC 9000 10.1). */
export const quicOptions = {
  runtimeMode: 'portable',
  alpn: [quicAlpn],
  enableDatagrams: true,
  maxIdleTimeoutMs: 20_000,
  initialMaxStreamsBidi: 1,
  initialMaxData: 65_536,
} as const;
/** So often, in milliseconds, the relay says something that must be answered: it keeps the path, and NAT on it, open. */
export const quicPingMs = 5_000;

const packageName: string = '@currentspace/http3';
const leastNodeMajor = 24;

/**
 * Loads the optional package.
 * @throws Error in one line that says what is missing
 */
export async function loadQuic(): Promise<QuicPackage> {
  if (Number.parseInt(process.versions.node, 10) < leastNodeMajor) {
    throw new Error(`QUIC needs Node ${leastNodeMajor} or later, and this is ${process.versions.node}`);
  }
  try {
    return (await import(packageName)) as QuicPackage;
  } catch (cause) {
    throw new Error(`QUIC needs the package ${packageName}, which is not installed here`, { cause });
  }
}
