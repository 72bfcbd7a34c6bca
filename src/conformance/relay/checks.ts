import { once } from 'node:events';
import { Wallet } from 'ethers';
import { isApiError } from '../../contract/index.js';
import { FramedChannel } from '../../streams/framed-channel.js';
import { NotMet } from '../not-met.js';
import { type SignRequest, TlsServerStream } from '../../tls/index.js';
import { parseChain } from '../../tunnel/link/keyless.js';
import { awaitOpening } from '../../tunnel/link/read-opening.js';
import type { Requirement } from '../verdict.js';
import { codeOf, type Lease, randomKey, type RelayUnderTest } from './relay-under-test.js';

/** A requirement of relays, and how it is seen from outside whether it is met. */
export interface RelayCheck extends Requirement {
  /** @throws NotMet */
  check(relay: RelayUnderTest): Promise<void>;
}

const badToken = 'eyJhbGciOiJub25lIn0.e30.';
const someBinding = Buffer.alloc(16).toString('base64');

export const relayChecks: readonly RelayCheck[] = [
  {
    id: 'domain',
    level: 1,
    requirement: 'getDomain names the root host of the URL, offers the raw carrier and signs by transcript.',
    source: 'openapi.yaml, getDomain',
    async check(relay) {
      const { root_host: root, transports, keyless } = await relay.data('getDomain');
      if (root !== relay.url.hostname) throw new NotMet(`root_host is ${String(root)}`);
      if (!(transports as string[]).includes('raw')) throw new NotMet('transports has no raw');
      if (!(keyless as { modes?: string[] } | undefined)?.modes?.includes('transcript'))
        throw new NotMet('it does not sign by transcript');
    },
  },
  {
    id: 'health',
    level: 1,
    requirement: 'getHealth says that it is well.',
    source: 'openapi.yaml, getHealth',
    async check(relay) {
      await relay.data('getHealth');
    },
  },
  {
    id: 'lease',
    level: 1,
    requirement: 'A name is leased by a signature, renewed by its token, which changes, and given back.',
    source: 'protocol.md#the-life-of-a-tunnel',
    async check(relay) {
      const lease = await relay.register();
      if (lease.hostname !== `${lease.name}.${relay.url.hostname}`)
        throw new NotMet(`the hostname is ${lease.hostname}`);
      const renewal = await relay.data('renewLease', { token: lease.token, body: { ttl: 90 } });
      if (renewal['access_token'] === lease.token) throw new NotMet('a renewal gives the same token');
      lease.token = String(renewal['access_token']);
      const query = `?hostname=${lease.hostname}`;
      const status = await relay.data('getTunnelStatus', { token: lease.token, query });
      if (status['registered'] !== true) throw new NotMet('getTunnelStatus does not know the lease');
      await relay.unregister(lease);
      await relay.refusal('renewLease', { token: lease.token, body: {} }, 404, 'lease_not_found');
    },
  },
  {
    id: 'lease-token-in-body',
    level: 1,
    requirement: 'renewLease and unregisterLease take the token in the body as well.',
    source: 'openapi.yaml, renewLease',
    async check(relay) {
      const lease = await relay.register();
      const renewal = await relay.data('renewLease', { body: { access_token: lease.token } });
      await relay.data('unregisterLease', { body: { access_token: renewal['access_token'] } });
    },
  },
  {
    id: 'name-taken',
    level: 1,
    requirement:
      'A name that another identity has is hostname_conflict, in any case of letters; its owner gets it again.',
    source: 'openapi.yaml, registerLease',
    async check(relay) {
      const lease = await relay.register();
      const other = new Wallet(randomKey());
      const body = { identity: { name: lease.name.toUpperCase(), address: other.address } };
      const answer = await relay.call('createRegisterChallenge', { body });
      if (answer.status === 201) {
        const { challenge_id, siwe_message } = (JSON.parse(answer.body.toString()) as { data: Record<string, string> })
          .data;
        const siwe_signature = await other.signMessage(siwe_message!);
        await relay.refusal(
          'registerLease',
          { body: { challenge_id, siwe_message, siwe_signature } },
          409,
          'hostname_conflict',
        );
      } else if (codeOf(answer) !== 'hostname_conflict') throw new NotMet(`it is ${answer.status} ${codeOf(answer)}`);
      await relay.register(lease);
    },
  },
  {
    id: 'challenge-once',
    level: 1,
    requirement: 'A challenge serves once.',
    source: 'openapi.yaml, registerLease',
    async check(relay) {
      const wallet = new Wallet(randomKey());
      const { id, message } = await relay.challenge(relay.freshName(), wallet.address);
      const body = { challenge_id: id, siwe_message: message, siwe_signature: await wallet.signMessage(message) };
      const { access_token: token } = await relay.data('registerLease', { body });
      await relay.refusal('registerLease', { body }, 401, 'unauthorized');
      await relay.data('unregisterLease', { token: String(token), body: {} });
    },
  },
  {
    id: 'challenge-signature',
    level: 1,
    requirement: 'A signature of another account, and one of a message that was changed, are unauthorized.',
    source: 'openapi.yaml, registerLease',
    async check(relay) {
      const [wallet, thief] = [new Wallet(randomKey()), new Wallet(randomKey())];
      const first = await relay.challenge(relay.freshName(), wallet.address);
      const stolen = {
        challenge_id: first.id,
        siwe_message: first.message,
        siwe_signature: await thief.signMessage(first.message),
      };
      await relay.refusal('registerLease', { body: stolen }, 401, 'unauthorized');
      const second = await relay.challenge(relay.freshName(), wallet.address);
      const changed = second.message.replace('Chain ID: 1', 'Chain ID: 5');
      const body = {
        challenge_id: second.id,
        siwe_message: changed,
        siwe_signature: await wallet.signMessage(changed),
      };
      await relay.refusal('registerLease', { body }, 401, 'unauthorized');
    },
  },
  {
    id: 'bad-bodies',
    level: 1,
    requirement:
      'Bodies that are no JSON, break the schema, are of another type or too large are refused as the contract says.',
    source: 'openapi.yaml, createRegisterChallenge',
    async check(relay) {
      const refused = (body: unknown, status: number, code: string, headers = {}) =>
        relay.refusal('createRegisterChallenge', { body, headers }, status, code);
      await refused('{', 400, 'invalid_json');
      await refused({}, 400, 'invalid_request');
      await refused({ identity: { name: 'a b', address: '0x' + '11'.repeat(20) } }, 400, 'invalid_request');
      await refused({ identity: { name: 'x', address: 'nobody' } }, 400, 'invalid_address');
      await refused('name=x', 415, 'invalid_request', { 'content-type': 'application/x-www-form-urlencoded' });
      await refused({ filling: 'x'.repeat(200_000) }, 413, 'invalid_request');
    },
  },
  {
    id: 'wrong-paths',
    level: 1,
    requirement: 'What is not there is not_found, and a wrong method is method_not_allowed with Allow.',
    source: 'openapi.yaml, ErrorCode',
    async check(relay) {
      const nothing = await relay.fetch('GET', '/sdk/nothing');
      if (nothing.status !== 404 || codeOf(nothing) !== 'not_found')
        throw new NotMet(`a path that is not there is ${nothing.status}`);
      const wrong = await relay.fetch('DELETE', '/sdk/domain');
      if (wrong.status !== 405 || codeOf(wrong) !== 'method_not_allowed')
        throw new NotMet(`DELETE /sdk/domain is ${wrong.status}`);
      if (!wrong.headers['allow']?.includes('GET')) throw new NotMet('405 has no Allow with GET');
    },
  },
  {
    id: 'tokens',
    level: 1,
    requirement:
      'Without a token, and with one that is not of this relay, every operation that needs one is unauthorized.',
    source: 'openapi.yaml, access_token',
    async check(relay) {
      const sign = {
        key_id: 'relay-cert',
        binding: someBinding,
        signature_scheme: 'ecdsa_secp256r1_sha256',
        transcript: 'AAAA',
      };
      for (const token of [undefined, badToken]) {
        const given = token === undefined ? {} : { token };
        await relay.refusal('renewLease', { ...given, body: {} }, 401, 'unauthorized');
        await relay.refusal('unregisterLease', { ...given, body: {} }, 401, 'unauthorized');
        await relay.refusal('signHandshake', { ...given, body: sign }, 401, 'unauthorized');
        const query = `?hostname=x.${relay.url.hostname}`;
        await relay.refusal('getTunnelStatus', { ...given, query }, 401, 'unauthorized');
      }
      const fault = await relay.session({ token: badToken }).catch((error: Error) => error.cause);
      if (!isApiError(fault, 'unauthorized')) throw new NotMet('openReverseSession is not unauthorized');
    },
  },
  {
    id: 'admin-closed',
    level: 1,
    requirement: "The operator's plane is closed to strangers.",
    source: 'openapi.yaml, admin_session',
    async check(relay) {
      for (const [operation, options] of [
        ['getSnapshot', {}],
        ['setApprovalMode', { body: { mode: 'manual' } }],
      ] as const) {
        // A relay without operators has no such plane.
        const answer = await relay.call(operation, options);
        const code = `${answer.status} ${codeOf(answer)}`;
        if (!['401 unauthorized', '503 feature_unavailable'].includes(code))
          throw new NotMet(`${operation} is ${code}`);
      }
    },
  },
  {
    id: 'keepalive',
    level: 1,
    requirement: 'A session that waits gets a keepalive about every 15 seconds, and nothing else.',
    source: 'protocol.md#what-the-relay-writes-first',
    async check(relay) {
      const { stream } = await relay.session(await relay.register());
      const timer = setTimeout(() => stream.destroy(new Error('no keepalive within 40 s')), 40_000);
      try {
        const [bytes] = (await once(stream, 'data')) as [Buffer];
        if (bytes.length !== 1 || bytes[0] !== 0) throw new NotMet(`the relay writes ${bytes.toString('hex')}`);
      } catch (error) {
        throw error instanceof NotMet ? error : new NotMet((error as Error).message);
      } finally {
        clearTimeout(timer);
      }
    },
  },
  {
    id: 'early-bytes',
    level: 1,
    requirement: 'A session in which the tunnel writes before its start is closed.',
    source: 'protocol.md#what-the-relay-writes-first',
    async check(relay) {
      const { stream } = await relay.session(await relay.register());
      const isOver = new Promise<boolean>((resolve) => {
        for (const event of ['end', 'close']) stream.once(event, () => resolve(true));
        setTimeout(() => resolve(false), 10_000).unref();
      });
      stream.resume().write('hello');
      if (!(await isOver)) throw new NotMet('the session stays open');
    },
  },
  {
    id: 'unknown-name',
    level: 1,
    requirement: 'A visitor of a name that nobody has gets the alert unrecognized_name.',
    source: 'protocol.md#tenant-tls',
    async check(relay) {
      const { sniPort } = await relay.register();
      const fault = await relay.visit(`${relay.freshName()}.${relay.url.hostname}`, sniPort).then(
        () => undefined,
        (error: NodeJS.ErrnoException) => error,
      );
      if (fault?.code !== 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME')
        throw new NotMet(`it gets ${fault?.message ?? 'a handshake'}`);
    },
  },
  {
    id: 'visitor',
    level: 1,
    requirement: "A visitor's connection comes on a session, its handshake is signed, and its bytes pass both ways.",
    source: 'protocol.md#tenant-tls',
    async check(relay) {
      await serveOne(relay, async (request, lease, sign) => await sign(request, lease.token));
    },
  },
  {
    id: 'binding-once',
    level: 2,
    requirement:
      'A binding serves for one signature, of its own tenant, and is spent also by a request that is refused.',
    source: 'protocol.md#the-signature',
    async check(relay) {
      const stranger = await relay.register();
      await serveOne(relay, async (request, lease, sign) => {
        await refused(sign(request, stranger.token), "another tenant's binding");
        const signature = await sign(request, lease.token);
        await refused(sign(request, lease.token), 'a binding that is spent');
        return signature;
      });
    },
  },
  {
    id: 'transcript-of-another',
    level: 2,
    requirement: 'A transcript that is not that of the visitor is not signed.',
    source: 'protocol.md#the-signature',
    async check(relay) {
      const outcome = serveOne(relay, async (request, lease, sign) => {
        const changed = Buffer.from(request.transcript);
        // The random of the ClientHello.
        changed[10]! ^= 1;
        return await sign({ ...request, transcript: changed }, lease.token);
      });
      await refused(outcome, 'a transcript that was changed');
    },
  },
];

class Unsigned extends Error {}

/** @throws NotMet unless the signature was refused */
async function refused(signature: Promise<unknown>, what: string): Promise<void> {
  try {
    await signature;
  } catch (error) {
    if (error instanceof Unsigned) return;
    throw error;
  }
  throw new NotMet(`${what} is signed`);
}

type Sign = (request: SignRequest, token: string) => Promise<Buffer>;

/** A visitor says hello to a tunnel of one session, and hears it again. @throws Unsigned, NotMet */
async function serveOne(
  relay: RelayUnderTest,
  signer: (request: SignRequest, lease: Lease, sign: Sign) => Promise<Buffer>,
): Promise<void> {
  const lease = await relay.register();
  const { keyless } = (await relay.data('getDomain')) as { keyless: { certificate_chain: string; key_id: string } };
  const session = await relay.session(lease);
  const claimed = awaitOpening(session.stream, AbortSignal.timeout(15_000));
  const visitor = relay.visit(lease.hostname, lease.sniPort);
  visitor.catch(() => undefined);
  const { binding } = await claimed.catch((error: Error) => {
    throw new NotMet(`the visitor does not come: ${error.message}`);
  });
  if (!binding) throw new NotMet('the opening has no binding');
  const sign: Sign = async (request, token) => {
    const body = {
      key_id: keyless.key_id,
      binding: binding.toString('base64'),
      signature_scheme: request.schemeName,
      transcript: request.transcript.toString('base64'),
    };
    const answer = await relay.call('signHandshake', { token, body });
    if (answer.status !== 200) throw new Unsigned(`${answer.status} ${codeOf(answer)}`);
    const { data } = JSON.parse(answer.body.toString()) as { data: { signature: string } };
    return Buffer.from(data.signature, 'base64');
  };
  const bytes = session.recycles ? new FramedChannel(session.stream, () => undefined) : session.stream;
  let fault: unknown;
  const tls = new TlsServerStream(bytes, {
    ...parseChain(keyless.certificate_chain),
    alpn: ['http/1.1'],
    sign: async (request) => {
      try {
        return await signer(request, lease, sign);
      } catch (error) {
        fault = error;
        throw error;
      }
    },
  });
  tls.on('error', () => {});
  tls.pipe(tls);
  try {
    const connection = await visitor.catch((error: Error) => {
      throw fault instanceof Error ? fault : new NotMet(`the visitor gets no handshake: ${error.message}`);
    });
    if (!connection.authorized)
      throw new NotMet(`the certificate does not serve: ${connection.authorizationError.message}`);
    connection.write('hello');
    const [echoed] = (await once(connection, 'data')) as [Buffer];
    if (echoed.toString() !== 'hello')
      throw new NotMet(`the visitor hears ${JSON.stringify(echoed.toString().slice(0, 40))}`);
    connection.destroy();
  } finally {
    tls.destroy();
  }
}
