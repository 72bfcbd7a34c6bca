import { once } from 'node:events';
import { Duplex, Readable } from 'node:stream';
import { type TLSSocket, connect } from 'node:tls';
import { violationCodes } from '../../../src/contract/index.js';
import { addressList } from '../../../src/net/address-list.js';
import { ClientAddresses } from '../../../src/relay/api/middleware/client-address.js';
import { ConnectEndpoint, type ConnectOthers } from '../../../src/relay/api/listener/connect.js';
import { createLogger } from '../../../src/util/logger.js';
import type { ReverseAdmission } from '../../../src/relay/reverse/admission.js';
import { freshWallet, openSession, sessionHeaders } from '../../support/by-hand.js';
import { endVisit, handshake } from '../../support/tenant.js';
import { type Bench, asText, forLease, takesToken } from './bench.js';
import { type Cause, sendTo, untilRefused } from './cause.js';
import type { Case, TestedOperation } from './document.js';
import { picture } from './picture-cause.js';
import { policyCause } from './policy-causes.js';
import { portCauses } from './port-causes.js';
import { exchangeRaw, type HttpAnswer, type HttpRequest, readAnswer } from './http.js';

/** Sends what would be granted, changed. */
const changed =
  (change: (request: HttpRequest) => HttpRequest): Cause =>
  async (bench, operation) =>
    await bench.send(change(await bench.grantable(operation, bench.home(operation))), bench.home(operation));

const granted = changed((request) => request);

/** For operations under a lease's token, as it then is. */
const forToken =
  (make: (bench: Bench) => Promise<{ hostname: string; token: string }>): Cause =>
  async (bench, operation) => {
    return await sendTo(bench, operation, forLease(operation, await make(bench)));
  };

const supersededLease = async (bench: Bench) => {
  const first = await bench.lease();
  await bench.lease('usual', first);
  return first;
};

const endedLease = async (bench: Bench) => {
  const lease = await bench.lease();
  await bench.send({ method: 'POST', path: '/sdk/unregister', headers: { 'x-portal-access-token': lease.token } });
  return lease;
};

/** Causes that are the same for every operation, by status and code. */
const general: Record<string, Cause> = {
  '400 invalid_json': changed((request) => ({ ...request, body: '{"ttl":' })),
  '400 invalid_request': changed((request) =>
    request.body === undefined ? { ...request, path: request.path.split('?')[0]! } : { ...request, body: [] },
  ),
  '413 invalid_request': changed((request) => ({ ...request, body: JSON.stringify('x'.repeat(100_000)) })),
  '415 invalid_request': changed(({ headers, ...request }) => ({
    ...request,
    headers: { ...headers, 'content-type': 'text/plain' },
  })),
  '400 invalid_address': misspelt('invalid_address'),
  '401 unauthorized': changed((request) => ({ ...request, headers: {} })),
  '404 lease_not_found': forToken(endedLease),
  '409 hostname_conflict': forToken(supersededLease),
  async '429 rate_limited'(bench, operation) {
    const request = forLease(operation, { hostname: 'a.portal.localhost', token: 'forged' });
    return await untilRefused(() => sendTo(bench, operation, request, 'pestered'));
  },
  async '500 internal'(bench, operation) {
    const request = await bench.grantable(operation, 'failing');
    bench.faults.handlers.add(operation.operationId);
    try {
      return await bench.send(request, 'failing');
    } finally {
      bench.faults.handlers.clear();
    }
  },
  // Of a part that is off, or not built.
  '503 feature_unavailable': async (bench, operation) => await bench.send(await bench.grantable(operation)),
};

/** Where the store is what fails. */
const storeFails: Cause = async (bench, operation) => {
  const request = await bench.grantable(operation, 'failing');
  bench.faults.store = true;
  try {
    return await bench.send(request, 'failing');
  } finally {
    bench.faults.store = false;
  }
};

const tooOften: Cause = async (bench, operation) => {
  const request = await bench.grantable(operation, bench.home(operation));
  return await untilRefused(() => bench.send(request, bench.home(operation)));
};

const sentBySession =
  (path: string): Cause =>
  async (bench, { method }) =>
    await bench.send({ method, path, headers: { cookie: await bench.session('governed') } }, 'governed');

/** Streams that are held open, each on a connection of its own. */
const tooManyStreams: Cause = async (bench, { method, path }) => {
  const { relay } = await bench.at('governed');
  const text = asText({ method, path, headers: { cookie: await bench.session('governed') } });
  const held: TLSSocket[] = [];
  try {
    for (;;) {
      const options = { host: '127.0.0.1', port: relay.apiPort, servername: relay.rootHost, ca: relay.ca };
      const socket = connect({ ...options, ALPNProtocols: ['http/1.1'] });
      held.push(socket);
      await once(socket, 'secureConnect');
      socket.write(text);
      const [head] = (await once(socket, 'data')) as [Buffer];
      if (!head.toString().startsWith('HTTP/1.1 200 ')) return await readAnswer(Readable.from([head]));
    }
  } finally {
    for (const socket of held) socket.destroy();
  }
};

const special: Record<string, Cause> = {
  ...portCauses,

  'getDomain 429 rate_limited': tooOften,
  'getLandingPage 400 invalid_request': (bench, { method }) => bench.send({ method, path: '/?page=0' }, 'landing'),
  'getLandingPage 404 not_found': (bench, { method, path }) => bench.send({ method, path }),
  'getLandingPage 429 rate_limited': tooOften,
  'getConsoleAsset 400 invalid_request': (bench, { method }) =>
    bench.send({ method, path: '/admin/assets/_' }, 'governed'),
  'getConsoleAsset 404 not_found': (bench, { method }) =>
    bench.send({ method, path: '/admin/assets/index-gone.js' }, 'governed'),
  'getLease 400 invalid_request': sentBySession(
    '/admin/leases/_/MHhkYjJmMjE2NDM5MDAxMDMzZWJiZTk5NTU3MGI2NmRmZjViMTczNjFk',
  ),
  'getLease 404 not_found': sentBySession(
    '/admin/leases/bm9ib2R5/MHhkYjJmMjE2NDM5MDAxMDMzZWJiZTk5NTU3MGI2NmRmZjViMTczNjFk',
  ),
  'listLeases 400 invalid_request': sentBySession('/admin/leases?limit=0'),
  'listIdentities 400 invalid_request': sentBySession('/admin/identities?state=all'),
  'listBannedIps 400 invalid_request': sentBySession('/admin/ips?offset=-1'),
  'listAuditEntries 400 invalid_request': sentBySession('/admin/audit?before=0'),
  'endAdminSession 400 invalid_request': sentBySession('/admin/sessions/_'),
  'endAdminSession 404 not_found': sentBySession('/admin/sessions/AAAAAAAAAAAAAAAA'),
  'followRelay 429 rate_limited': tooManyStreams,
  'getDocumentationPage 400 invalid_request': (bench, { method }) => bench.send({ method, path: '/docs/_' }),
  'getDocumentationPage 404 not_found': (bench, { method }) => bench.send({ method, path: '/docs/nothing' }),
  'getThumbnail 200': picture,
  'getThumbnail 400 invalid_request': (bench, { method }) => bench.send({ method, path: '/thumbnail/_' }, 'pictured'),
  'getThumbnail 404 not_found': (bench, { method, path }) =>
    bench.send({ method, path: path.replace('{hostname}', 'nobody.portal.localhost') }, 'pictured'),

  'getHealth 503 feature_unavailable': (bench, { method, path }) => bench.send({ method, path }, 'draining'),

  'createRegisterChallenge 409 hostname_conflict': async (bench, operation) => {
    const { name } = await bench.lease();
    const request = await bench.grantable(operation);
    return await bench.send({ ...request, body: { identity: { name, address: freshWallet().address } } });
  },
  'createRegisterChallenge 429 rate_limited': async (bench, operation) => {
    const request = await bench.grantable(operation);
    return await untilRefused(() => bench.send(request, 'hurried'));
  },
  'createRegisterChallenge 500 internal': storeFails,
  'createRegisterChallenge 503 feature_unavailable': async (bench, operation) => {
    const request = await bench.grantable(operation);
    return await bench.send({ ...request, body: { ...(request.body as object), tcp_enabled: true } });
  },

  'getDiscovery 429 rate_limited': tooOften,
  'announceRelay 429 rate_limited': tooOften,
  'announceRelay 401 unauthorized': async (bench, operation) => {
    const { body, ...request } = await bench.grantable(operation);
    const { descriptor } = body as { descriptor: object };
    return await bench.send({ ...request, body: { descriptor: { ...descriptor, supports_udp: true } } }, 'discovering');
  },

  'registerLease 401 unauthorized': async (bench, { method, path }) => {
    const body = await bench.signedChallenge();
    const spent = await bench.send({ method, path, body });
    if (spent.status !== 201) throw new Error(`not registered: ${spent.body.toString()}`);
    const otherSignature = await freshWallet().signMessage('something else');
    const forged = { ...(await bench.signedChallenge()), siwe_signature: otherSignature };
    return [await bench.send({ method, path, body }), await bench.send({ method, path, body: forged })];
  },
  'registerLease 403 domain_not_proven': async (bench, { method, path }) =>
    await bench.send({ method, path, body: await bench.signedChallenge('domains', 'shop.example.com') }, 'domains'),
  'registerLease 409 hostname_conflict': async (bench, { method, path }) => {
    const name = bench.freshName();
    const slow = await bench.signedChallenge('usual', name);
    await bench.lease('usual', { name });
    return await bench.send({ method, path, body: slow });
  },
  'registerLease 429 rate_limited': async (bench, { method, path }) => {
    const { wallet } = await bench.lease('crowded');
    const body = await bench.signedChallenge('crowded', bench.freshName(), wallet);
    return await bench.send({ method, path, body }, 'crowded');
  },
  'registerLease 500 internal': storeFails,
  'unregisterLease 500 internal': storeFails,

  'openReverseSession 101': async (bench, operation) => {
    const upgrade = async (headers: Record<string, string>) => {
      const request = forLease(operation, await bench.lease());
      const all = { ...request.headers, connection: 'Upgrade', ...headers };
      return await exchangeRaw((await bench.at()).relay, asText({ ...request, headers: all }));
    };
    return [
      await upgrade({ upgrade: 'portal-reverse' }),
      await upgrade({
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': Buffer.alloc(16).toString('base64'),
        'sec-websocket-protocol': 'portal.reverse, portal.binding.1',
      }),
    ];
  },
  'openReverseSession 200': forToken((bench) => bench.lease()),
  'openReverseSession 400 invalid_request': connecting({ 'x-portal-binding': '2' }),
  'openReverseSession 401 unauthorized': connecting({ 'x-portal-access-token': '' }),
  'openReverseSession 429 rate_limited': async (bench, operation) => {
    const { relay } = await bench.at();
    const lease = await bench.lease();
    const held = [];
    for (let session = 0; session < 8; session++) held.push(await openSession(relay, sessionHeaders(lease.token)));
    const full = await exchangeRaw(relay, asText(forLease(operation, lease)));
    for (const { socket } of held) socket.destroy();
    return full;
  },
  'openReverseSession 500 internal': async (_bench, operation) => {
    const admission = {
      admit: () => Promise.reject(new TypeError('a bug')),
    } as unknown as ReverseAdmission;
    return await connectOver(new Carrier(), admission, operation);
  },
  'openReverseSession 500 hijack_failed': async (_bench, operation) => {
    const admission = {
      admit: () => Promise.resolve({ sessions: {}, options: {} }),
    } as unknown as ReverseAdmission;
    return await connectOver(failingCarrier(), admission, operation);
  },
  'openReverseSession 500 hijack_unsupported': async (bench, operation) =>
    await bench.send(forLease(operation, await bench.lease())),
  'openReverseSession 503 feature_unavailable': async (bench, operation) => {
    const { headers, ...request } = forLease(operation, await bench.lease());
    const { 'x-portal-access-token': token } = headers as Record<string, string>;
    const unbound = { ...request, headers: { 'x-portal-access-token': token! } };
    return await exchangeRaw((await bench.at()).relay, asText(unbound));
  },
  'openReverseSession 505 http11_only': async (bench, operation) =>
    await exchangeRaw((await bench.at()).relay, asText(forLease(operation, await bench.lease()), '1.0')),

  'signHandshake 200': async (bench, { method, path }) => {
    const { relay } = await bench.at();
    const lease = await bench.lease();
    const headers = { 'x-portal-access-token': lease.token };
    let signed: HttpAnswer | undefined;
    const visit = await handshake(relay, lease, async ({ body }) => {
      signed = await bench.send({ method, path, headers, body });
      return { ...signed, body: JSON.parse(signed.body.toString()) as unknown };
    });
    await endVisit(visit);
    return [signed!, await bench.send(await digestRequest(bench, 'digests'), 'digests')];
  },
  'signHandshake 404 feature_unavailable': async (bench) => await bench.send(await digestRequest(bench, 'usual')),
};

async function digestRequest(bench: Bench, kind: 'usual' | 'digests'): Promise<HttpRequest> {
  const { token } = await bench.lease(kind);
  const body = {
    key_id: 'relay-cert',
    algorithm: 'ECDSA_SHA256',
    digest: Buffer.alloc(32).toString('base64'),
    timestamp_unix: Math.floor(Date.now() / 1000),
    nonce: bench.freshName(),
  };
  return { method: 'POST', path: '/v1/sign', headers: { 'x-portal-access-token': token }, body };
}

/** A value that has a code of its own when it is wrong, made wrong: where it stands, the contract says. */
function misspelt(code: string): Cause {
  return changed((request) => {
    const pointers: Record<string, Record<string, string>> = violationCodes;
    const [pointer] = Object.values(pointers)
      .flatMap((codes) => Object.entries(codes))
      .find(([at, found]) => found === code && at.startsWith('/body/') && has(request.body, at.split('/').slice(2)))!;
    const body = structuredClone(request.body) as Record<string, unknown>;
    const names = pointer.split('/').slice(2);
    const last = names.pop()!;
    names.reduce((node, name) => node[name] as Record<string, unknown>, body)[last] = 'nonsense';
    return { ...request, body };
  });
}

function has(value: unknown, [name, ...rest]: string[]): boolean {
  if (name === undefined) return value !== undefined;
  return typeof value === 'object' && value !== null && has((value as Record<string, unknown>)[name], rest);
}

function connecting(headers: Record<string, string>): Cause {
  return async (bench, operation) => {
    const request = forLease(operation, await bench.lease());
    return await exchangeRaw(
      (await bench.at()).relay,
      asText({ ...request, headers: { ...request.headers, ...headers } }),
    );
  };
}

/** A connection as the endpoint gets it, whose other end is here. */
class Carrier extends Duplex {
  readonly written = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk);
    done();
  }
}

/** One whose first write fails, as of a connection that another part has taken. */
function failingCarrier(): Carrier {
  const carrier = new Carrier();
  const write = carrier.write.bind(carrier);
  carrier.write = () => {
    carrier.write = write;
    throw new Error('EPIPE');
  };
  return carrier;
}

async function connectOver(
  carrier: Carrier,
  admission: ReverseAdmission,
  operation: TestedOperation,
): Promise<HttpAnswer> {
  const addresses = new ClientAddresses(addressList([]));
  const endpoint = new ConnectEndpoint(admission, {} as ConnectOthers, addresses, createLogger('silent'));
  const { headers = {} } = forLease(operation, { hostname: '', token: 'token' });
  const head = { version: '1.1', headers: new Map(Object.entries(headers)), rest: Buffer.alloc(0) };
  await endpoint.plain(carrier as never, head);
  try {
    return await readAnswer(carrier.written);
  } finally {
    carrier.destroy();
  }
}

/** What brings a declared answer about on the relay; undefined when nobody has said. */
export function causeOf({ id, operation, status, code }: Case): Cause | undefined {
  if (special[id]) return special[id];
  if (code === undefined) return granted;
  const decided = policyCause(operation, `${status} ${code}`);
  if (decided) return decided;
  const cause = general[`${status} ${code}`];
  const needsToken = ['lease_not_found', 'hostname_conflict', 'rate_limited'].includes(code);
  return needsToken && !takesToken(operation) ? undefined : cause;
}
