import { channel } from 'node:diagnostics_channel';

/**
 * Names of all handlers that outside input, a timer or the store can call. An error in one of them ends only what it
 * was called for (a connection, a datagram, one run of a timer), never the process.
 */
export const boundaryNames = [
  // Relay
  'public connection',
  'redirect connection',
  'redirect request',
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
  'node report',
  'store change',
  'node connection',
  'node presence',
  'port check',
  'certificate check',
  'relay certificate',
  'relay upgrade',
  'challenge DNS query',
  'challenge DNS connection',
  'traffic sample',
  'activity sample',
  'lease minutes',
  'operator event stream',
  'session keepalive',
  'discovery plan',
  'offline page',
  'domain check',
  'own certificate',
  'certificate files',
  'browser connection',
  'browser memory check',
  'descriptor check',
  'data worker message',
  'entry worker message',
  'entry connection',
  'datagram sweep',
  'descriptor fetch',
  'overlay peers',
  'overlay lookup',
  'overlay request',
  'overlay connection',
  'peer connection',
  // Both ends
  'splice data',
  'frame data',
  'unwrapped data',
  'websocket message',
  'websocket datagram',
  'quic datagram',
  'datagram carrier check',
  'datagram carrier ping',
  'event stream',
  // Tunnel
  'session dial',
  'session claim',
  'session silence check',
  'session pool check',
  'tls data',
  'service data',
  'service protocol',
  'password check',
  'inspected data',
  'inspector request',
  'service datagram',
  'udp flow sweep',
  'relay health check',
  'relay search',
  'relay path',
  'agent request',
  'agent event stream',
  'agent notice',
  'agent relay check',
  'agent certificate check',
  'datagram carrier',
  'tunnel end',
  'configuration check',
  'self-probe',
  'tunnel datagram',
  'visitor request',
] as const;
export type BoundaryName = (typeof boundaryNames)[number];

export interface Fault {
  boundary: BoundaryName;
  error: Error;
}

/** Called once for each fault, with its cause: the relay logs and counts them, a program can subscribe too. */
export const faultChannel = channel('portal:fault');

/** @returns unsubscribes */
export function onFault(listener: (fault: Fault) => void): () => void {
  const told = (message: unknown) => listener(message as Fault);
  faultChannel.subscribe(told);
  return () => void faultChannel.unsubscribe(told);
}

let injection: ((name: BoundaryName) => void) | undefined;

/** For tests: called at the start of every guarded handler; an error that it throws is an error of the handler. */
export function injectFaults(inject: ((name: BoundaryName) => void) | undefined): void {
  injection = inject;
}

type Handler = (a: unknown, b: unknown, c: unknown) => unknown;

/**
 * Puts a boundary around a handler with at most three parameters.
 * @param end ends the one thing that the handler was called for, with the handler's own arguments, after a fault
 */
export function guard<Args extends unknown[]>(
  name: BoundaryName,
  handler: (...args: Args) => unknown,
  end: (...args: Args) => unknown = nothing,
): (...args: Args) => void {
  const [call, close] = [handler, end] as unknown as [Handler, Handler];
  // Separate parameters: an array for each chunk of each connection would cost measurable time.
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

/** Calls a handler every `ms` milliseconds, inside its boundary. */
export function repeat(name: BoundaryName, handler: () => unknown, ms: number): NodeJS.Timeout {
  // boundary: this is the boundary itself.
  return setInterval(guard(name, handler), ms);
}

/** Starts an asynchronous task that nothing awaits, inside its boundary. */
export function background(name: BoundaryName, task: () => Promise<unknown>, end?: () => unknown): void {
  guard(name, task, end)();
}

/** Reports an error that ended one thing in another thread. */
export function report(boundary: BoundaryName, error: Error): void {
  faultChannel.publish({ boundary, error } satisfies Fault);
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
