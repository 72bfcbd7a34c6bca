import { freshWallet } from '../../support/by-hand.js';
import { type Bench, type Kind, asText, forLease } from './bench.js';
import { type Cause } from './cause.js';
import { type HttpAnswer, exchangeRaw } from './http.js';

// What ports that are disabled, taken or not there bring about.

type Protocol = 'tcp' | 'udp';

const wanting = (protocol: Protocol) => ({ [`${protocol}_enabled`]: true });
const settings = { tcp: '/settings/tcp-port', udp: '/settings/udp' };

/** A challenge for a lease with a port, signed; `then` comes before the registration. */
async function registering(
  bench: Bench,
  kind: Kind,
  protocol: Protocol,
  then: () => Promise<unknown> = async () => {},
): Promise<HttpAnswer> {
  const body = await bench.signedChallenge(kind, bench.freshName(), freshWallet(), wanting(protocol));
  await then();
  return await bench.send({ method: 'POST', path: '/sdk/register', body }, kind);
}

/** With the kind of port turned off, for as long as it takes. */
async function disabled(
  bench: Bench,
  protocol: Protocol,
  ask: (turnOff: () => Promise<unknown>) => Promise<HttpAnswer>,
) {
  const admin = await bench.admin('ported');
  const set = (enabled: boolean) => admin.post(settings[protocol], { enabled });
  try {
    return await ask(() => set(false));
  } finally {
    await set(true);
  }
}

const disabledBefore =
  (protocol: Protocol): Cause =>
  (bench, { method, path }) =>
    disabled(bench, protocol, async (turnOff) => {
      await turnOff();
      const identity = { name: bench.freshName(), address: freshWallet().address };
      return await bench.send({ method, path, body: { identity, ...wanting(protocol) } }, 'ported');
    });

const disabledMeanwhile =
  (protocol: Protocol): Cause =>
  (bench) =>
    disabled(bench, protocol, (turnOff) => registering(bench, 'ported', protocol, turnOff));

/** Registers twice where there is room for one. */
const secondOf =
  (kind: Kind, protocol: Protocol): Cause =>
  async (bench) => {
    await registering(bench, kind, protocol);
    return await registering(bench, kind, protocol);
  };

/** A datagram carrier for a lease without UDP. */
const mismatch: Cause = async (bench, operation) => {
  const request = forLease(operation, await bench.lease());
  const headers = {
    ...request.headers,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': Buffer.alloc(16).toString('base64'),
    'sec-websocket-protocol': 'portal.datagram',
  };
  return await exchangeRaw((await bench.at()).relay, asText({ ...request, headers }));
};

/** A path of relays, which has no ports. */
const pathWithPorts: Cause = async (bench, { method, path }) => {
  const identity = { name: bench.freshName(), address: freshWallet().address };
  const hop = { accept: { token: 'A'.repeat(43) } };
  return await bench.send({ method, path, body: { identity, hop, ...wanting('tcp') } });
};

export const portCauses: Record<string, Cause> = {
  'createRegisterChallenge 403 tcp_port_disabled': disabledBefore('tcp'),
  'createRegisterChallenge 403 udp_disabled': disabledBefore('udp'),
  'createRegisterChallenge 409 transport_mismatch': pathWithPorts,
  'registerLease 403 tcp_port_disabled': disabledMeanwhile('tcp'),
  'registerLease 403 udp_disabled': disabledMeanwhile('udp'),
  'registerLease 503 tcp_port_capacity_exceeded': secondOf('narrow', 'tcp'),
  'registerLease 503 udp_capacity_exceeded': secondOf('narrow', 'udp'),
  'registerLease 503 tcp_port_exhausted': secondOf('ported', 'tcp'),
  'registerLease 503 udp_port_exhausted': secondOf('ported', 'udp'),
  'openReverseSession 409 transport_mismatch': mismatch,
};
