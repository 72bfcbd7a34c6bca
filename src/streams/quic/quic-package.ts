import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { quicAlpn } from '../../protocol/headers.js';

// Types of the used part of `@currentspace/http3`, since the package is optional and may be absent at compile time.

export interface QuicCloseInfo {
  errorCode: number;
  reason: string;
}

/** One QUIC connection, on either side. */
export interface QuicSession extends EventEmitter<{
  /** The peer opened a stream, bidirectional or not. */
  stream: [stream: Duplex & { readonly id: number }];
  datagram: [datagram: Buffer];
  close: [info: QuicCloseInfo];
  error: [error: Error];
}> {
  readonly remoteAddress?: string;
  openStream(): Duplex;
  /** @returns false when it was not queued; one too large for the path is dropped silently */
  sendDatagram(datagram: Buffer): boolean;
  ping(): boolean;
  getMetrics(): QuicMetrics | null;
  close(errorCode?: number, reason?: string): unknown;
}

export interface QuicMetrics {
  /** Largest UDP payload known to pass the path. */
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

/**
 * Options of both sides. `portable` is the native code with poll(2); the WASM mode is not fit for untrusted peers.
 */
interface QuicOptions {
  runtimeMode: 'portable';
  alpn: readonly string[];
  enableDatagrams: true;
  maxIdleTimeoutMs: number;
  initialMaxStreamsBidi: number;
  /** Flow control window of all streams together. */
  initialMaxData: number;
}

export interface QuicPackage {
  createQuicServer(
    options: QuicOptions & {
      key: string;
      cert: string;
      maxConnections: number;
      /** False: a client must first validate its address with a Retry (RFC 9000 8.1.2). */
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

/** Options of both sides. The effective idle timeout is the shorter one (RFC 9000 10.1). */
export const quicOptions = {
  runtimeMode: 'portable',
  alpn: [quicAlpn],
  enableDatagrams: true,
  maxIdleTimeoutMs: 20_000,
  initialMaxStreamsBidi: 1,
  initialMaxData: 65_536,
} as const;
/** Interval of the relay's pings in milliseconds, which keep the path and its NATs open. */
export const quicPingMs = 5_000;

const packageName: string = '@currentspace/http3';
const leastNodeMajor = 24;

/**
 * Loads the optional package.
 * @throws Error in one line that names what is missing
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
