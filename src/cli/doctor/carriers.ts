import { once } from 'node:events';
import { type IncomingMessage, get } from 'node:http';
import { ApiError } from '../../contract/errors.js';
import { portalHeaders } from '../../protocol/headers.js';
import type { RelayTransport } from '../../sdk/transport/relay-transport.js';
import { loadQuic } from '../../streams/quic/quic-package.js';
import { QuicDatagramCarrier } from '../../tunnel/carriers/quic-datagram-carrier.js';
import type { Tell } from '../support/finding.js';

export interface CarrierCheck {
  relay: URL;
  transport: RelayTransport;
  /** PEM; by default the well-known certificates. */
  ca: Buffer | undefined;
  /** What the relay says that it offers. */
  transports: readonly unknown[];
  /** Whether a UDP service is to be exposed. */
  wantsUdp: boolean;
  timeoutMs: number;
  tell: Tell;
}

/** No relay has issued it, so that a request opens nothing. */
const unknownToken = 'doctor';

/** It was reached, and refuses for now: this says nothing of the network between. */
class BusyRelay extends Error {}

/** Which ways of reverse sessions and datagrams the network between lets through. */
export async function lookAtCarriers(check: CarrierCheck): Promise<void> {
  const { relay, tell } = check;
  const about = relay.host;
  const raw = await failureOf(() => upgrade(check, { Upgrade: 'portal-doctor' }));
  const webSocket = raw && (await failureOf(() => upgrade(check, webSocketHeaders)));
  if ([raw, webSocket].some((failure) => failure instanceof BusyRelay))
    tell(
      'warning',
      about,
      'the relay has too many requests from here: look again in a minute whether sessions get through',
    );
  else if (raw === undefined) tell('ok', about, 'sessions get through');
  else if (webSocket === undefined)
    tell('warning', about, `sessions get through as WebSockets only (${raw.message}): they are used, and cost more`);
  else tell('problem', about, `no session gets through (${webSocket.message}): try another network`);
  if (check.wantsUdp) await lookAtDatagrams(check);
}

async function lookAtDatagrams({ relay, ca, transports, timeoutMs, tell }: CarrierCheck): Promise<void> {
  const about = relay.host;
  if (!transports.includes('datagram-websocket')) return tell('problem', about, 'has no UDP ports: take another relay');
  const instead = 'datagrams go over WebSocket, where one that is lost delays the others';
  if (!transports.includes('quic')) return tell('ok', about, `offers no QUIC: ${instead}`);
  if (!(await loadQuic().catch(() => undefined))) {
    const missing = 'offers QUIC, and the package for it (@currentspace/http3) is not installed here';
    return tell('warning', about, `${missing}: ${instead}`);
  }
  const failure = await failureOf(() =>
    new QuicDatagramCarrier(relay, { ca }).dial({
      accessToken: unknownToken,
      publicPort: Number(relay.port) || 443,
      signal: AbortSignal.timeout(timeoutMs),
    }),
  );
  if (failure instanceof ApiError) tell('ok', about, 'UDP gets through: datagrams go over QUIC');
  else tell('warning', about, `UDP does not get through (${failure?.message}), as behind many firewalls: ${instead}`);
}

/** Offers no subprotocol that a relay knows. */
const webSocketHeaders = {
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'cG9ydGFsIGRvY3Rvci4uLg==',
  'Sec-WebSocket-Protocol': 'portal.doctor',
};

/**
 * Asks the relay for an upgrade that it refuses as such (400). Where something between has removed the header, the relay sees a
 * request without an upgrade, and refuses its token (401).
 */
async function upgrade({ relay, transport, timeoutMs }: CarrierCheck, headers: Record<string, string>): Promise<void> {
  const socket = await transport.connect(relay, AbortSignal.timeout(timeoutMs));
  try {
    const request = get({
      path: '/sdk/connect',
      createConnection: () => socket,
      setHost: false,
      timeout: timeoutMs,
      headers: { Host: relay.host, Connection: 'Upgrade', [portalHeaders.accessToken]: unknownToken, ...headers },
    });
    request.once('timeout', () => request.destroy(new Error('nothing came back in time')));
    const [{ statusCode }] = (await once(request, 'response')) as [IncomingMessage];
    if (statusCode === 401) throw new Error('something between removes the Upgrade header');
    if (statusCode === 429) throw new BusyRelay('too many requests');
    if (statusCode !== 400) throw new Error(`an upgrade is answered with ${statusCode}`);
  } finally {
    socket.destroy();
  }
}

async function failureOf(trying: () => Promise<unknown>): Promise<Error | undefined> {
  try {
    await trying();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}
