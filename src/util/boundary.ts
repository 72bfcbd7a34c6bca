import { channel } from 'node:diagnostics_channel';

/**
 * Every handler that outside input, a timer or the store can call, by name. What one of them throws or rejects with ends the one
 * thing that it was called for (a connection, a datagram, one run of a timer), and never the process.
 */
export const boundaryNames = [
  // Relay
  'public connection',
  'port connection',
  'api connection',
  'api request',
  'api upgrade',
  'api CONNECT request',
  'api client error',
  'response sweep',
  'metrics request',
  'public datagram',
  'carrier datagram',
  'quic session',
  'quic stream',
  'lease sweep',
  'port check',
  'certificate check',
  'traffic sample',
  'session keepalive',
  'discovery plan',
  'browser connection',
  'browser memory check',
  'descriptor check',
  'datagram sweep',
  'descriptor fetch',
  // Both ends
  'splice data',
  'frame data',
  'unwrapped data',
  'websocket message',
  'websocket datagram',
  'quic datagram',
  'datagram carrier check',
  'datagram carrier ping',
  // Tunnel
  'session dial',
  'session claim',
  'session silence check',
  'session pool check',
  'tls data',
  'service data',
  'service datagram',
  'service upgrade',
  'udp flow sweep',
  'relay health check',
  'relay search',
  'datagram carrier',
  'tunnel end',
  'configuration check',
  'self-probe',
  'tunnel datagram',
  'visitor request',
  'visitor upgrade',
  'visitor error',
] as const;
export type BoundaryName = (typeof boundaryNames)[number];

export interface Fault {
  boundary: BoundaryName;
  error: Error;
}

/** Told of each fault once, with its cause: a relay logs and counts them, a program may subscribe as well. */
export const faultChannel = channel('portal:fault');

/** @returns unsubscribes */
export function onFault(listener: (fault: Fault) => void): () => void {
  const told = (message: unknown) => listener(message as Fault);
  faultChannel.subscribe(told);
  return () => void faultChannel.unsubscribe(told);
}

let injection: ((name: BoundaryName) => void) | undefined;

/** For tests: called at the start of every guarded handler, which fails with whatever this throws. */
export function injectFaults(inject: ((name: BoundaryName) => void) | undefined): void {
  injection = inject;
}

type Handler = (a: unknown, b: unknown, c: unknown) => unknown;

/**
 * Puts a boundary around a handler, of three parameters at most.
 * @param end ends the one thing that the handler was called for, with the handler's own arguments, after a fault
 */
export function guard<Args extends unknown[]>(
  name: BoundaryName,
  handler: (...args: Args) => unknown,
  end: (...args: Args) => unknown = nothing,
): (...args: Args) => void {
  const [call, close] = [handler, end] as unknown as [Handler, Handler];
  // Parameters one by one: an array for each chunk of each connection would be felt.
  const guarded = (a: unknown, b: unknown, c: unknown): void => {
    try {
      injection?.(name);
      const result = call(a, b, c);
      if (result instanceof Promise) result.catch((error: unknown) => fail(name, error, () => close(a, b, c)));
    } catch (error) {
      fail(name, error, () => close(a, b, c));
    }
  };
  return guarded as unknown as (...args: Args) => void;
}

/** Calls a handler every `ms` milliseconds, within its boundary. */
export function repeat(name: BoundaryName, handler: () => unknown, ms: number): NodeJS.Timeout {
  // boundary: this is it.
  return setInterval(guard(name, handler), ms);
}

/** Begins what nobody waits for, within its boundary. */
export function background(name: BoundaryName, task: () => Promise<unknown>, end?: () => unknown): void {
  guard(name, task, end)();
}

function fail(boundary: BoundaryName, thrown: unknown, end: () => unknown): void {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  faultChannel.publish({ boundary, error } satisfies Fault);
  try {
    end();
  } catch (cause) {
    faultChannel.publish({ boundary, error: new Error('ending it failed as well', { cause }) } satisfies Fault);
  }
}

function nothing(): void {}
