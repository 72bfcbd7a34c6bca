import { type ErrorCode, errorCatalogue, operationErrors } from '../../contract/index.js';
import { fail, say, silence } from '../box/relay-box.js';
import { NotMet } from '../not-met.js';
import type { Stage } from '../stage.js';
import type { Scenario } from './scenario.js';

/** Messages that a hostile relay wants signed: what is wrong, and how the right one is changed. */
const lies: Record<string, [what: string, change: (message: string) => string]> = {
  domain: ['the domain of another relay', (text) => text.replace(/^\S+/, 'other.example.com')],
  'domain-port': ['the domain without the port', (text) => text.replace(/^(portal\.localhost):\d+/, '$1')],
  uri: ['the URI of another relay', (text) => text.replace(/URI: \S+/, 'URI: https://other.example.com/sdk/register')],
  'uri-path': ["the URI of the operator's plane", (text) => text.replace('/sdk/register', '/admin/auth/login')],
  address: ['another address', (text) => text.replace(/0x\w{40}/, '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed')],
  challenge: ['the id of another challenge', (text) => text.replace(/Request ID: \S+/, 'Request ID: another')],
  chain: ['another chain', (text) => text.replace('Chain ID: 1', 'Chain ID: 10')],
  version: ['another version', (text) => text.replace('Version: 1', 'Version: 2')],
  statement: ['a statement', (text) => text.replace('\n\n\nURI', '\n\nI give away all that I have.\n\nURI')],
  resources: ['resources', (text) => `${text}\nResources:\n- https://other.example.com/`],
  expiry: ['no expiry', (text) => text.replace(/Expiration Time: \S+\n/, '')],
  'expiry-far': [
    'an expiry in a year',
    (text) => text.replace(/Expiration Time: \d+/, (found) => `Expiration Time: ${Number(found.slice(-4)) + 1}`),
  ],
  transaction: ['no sign-in at all', () => '0xf86c808504a817c80082520894'],
};

const lying: Scenario[] = Object.entries(lies).map(([id, [what, change]]) => ({
  id: `sign-in-lie-${id}`,
  level: 2,
  requirement: `A message with ${what} is not signed.`,
  source: 'protocol.md#the-life-of-a-tunnel',
  async play(stage) {
    stage.box.lie = change;
    await stage.start();
    const isDecided = () => stage.driver.stopped !== undefined || stage.box.of('createRegisterChallenge').length > 1;
    await stage.until('it asks for a challenge', () => stage.box.of('createRegisterChallenge').length > 0);
    const signed = () => stage.box.of('registerLease').some(({ body }) => typeof body['siwe_signature'] === 'string');
    const end = performance.now() + 4_000;
    while (!isDecided() && performance.now() < end) await stage.never(`it signs a message with ${what}`, signed, 100);
    await stage.never(`it signs a message with ${what}`, signed, 200);
  },
}));

/** Calls of a tunnel whose every error code is played. */
const played = ['createRegisterChallenge', 'registerLease', 'renewLease', 'openReverseSession'] as const;
type Played = (typeof played)[number];

/** Codes whose meaning depends on the call, or on what came before: they have scenarios of their own. */
const special: Record<Played, ErrorCode[]> = {
  createRegisterChallenge: ['lease_rejected'],
  registerLease: ['unauthorized', 'lease_rejected'],
  renewLease: ['unauthorized', 'lease_not_found', 'lease_rejected'],
  openReverseSession: ['unauthorized', 'lease_not_found', 'lease_rejected'],
};

/** Every other error code that the contract declares for a call: whether it ends a tunnel, or is tried again. */
const declared: Scenario[] = played.flatMap((operation) =>
  (Object.keys(operationErrors[operation]) as ErrorCode[])
    .filter((code) => !special[operation].includes(code))
    .map((code) => (errorCatalogue[code].retry === 'never' ? stops(operation, code) : triesAgain(operation, code))),
);

function stops(operation: Played, code: ErrorCode): Scenario {
  return {
    id: `stops-${operation}-${code}`,
    level: 2,
    requirement: `After ${code} on ${operation} it stops: the same request fails again.`,
    source: 'protocol.md#what-to-do-at-each-error',
    async play(stage) {
      stage.box.ttl = 4;
      stage.box.next(operation, ...Array.from({ length: 50 }, () => fail(code)));
      await stage.start();
      await stage.stops(`${code} on ${operation}`);
    },
  };
}

function triesAgain(operation: Played, code: string, status?: number): Scenario {
  const what = status === undefined ? code : `a code that is not known, with status ${status},`;
  return {
    id: `retries-${operation}-${code}${status === undefined ? '' : `-${status}`}`,
    level: 2,
    requirement: `After ${what} on ${operation} it tries again.`,
    source: 'protocol.md#what-to-do-at-each-error',
    async play(stage) {
      const { box } = stage;
      box.ttl = 4;
      box.next(operation, fail(code, { retryAfter: 1, ...(status === undefined ? {} : { status }) }));
      await stage.serve();
      await stage.until(`it calls ${operation} again`, () => box.of(operation).length >= 2);
      await stage.echo(await stage.visit());
    },
  };
}

const rejected: Scenario[] = (['createRegisterChallenge', 'registerLease', 'renewLease'] as const).map((operation) => ({
  ...stops(operation, 'lease_rejected'),
  requirement: `After lease_rejected on ${operation} it stops: the operator has denied or banned it.`,
}));

const unknown: Scenario[] = [
  triesAgain('registerLease', 'of_tomorrow', 503),
  triesAgain('createRegisterChallenge', 'of_tomorrow', 429),
  {
    ...stops('createRegisterChallenge', 'invalid_request'),
    id: 'stops-createRegisterChallenge-of_tomorrow-418',
    requirement: 'After a code that is not known, with status 418, on createRegisterChallenge it stops.',
    async play(stage) {
      const answers = Array.from({ length: 50 }, () => fail('of_tomorrow', { status: 418 }));
      stage.box.next('createRegisterChallenge', ...answers);
      await stage.start();
      await stage.stops('a code that is not known, with status 418');
    },
  },
];

const surviving: Scenario[] = [
  {
    id: 'retry-after',
    level: 2,
    requirement: 'It waits as long as Retry-After says.',
    source: 'protocol.md#what-to-do-at-each-error',
    async play(stage) {
      stage.box.next('createRegisterChallenge', fail('rate_limited', { retryAfter: 3 }));
      await stage.serve();
      const [first, second] = stage.box.of('createRegisterChallenge');
      const waited = second!.at - first!.at;
      if (waited < 2_900) throw new NotMet(`it waits ${Math.round(waited)} ms, not 3 s`);
    },
  },
  {
    id: 'lease-gone',
    level: 2,
    requirement: 'After lease_not_found it registers again, and serves.',
    source: 'protocol.md#what-to-do-at-each-error',
    async play(stage) {
      stage.box.ttl = 4;
      stage.box.next('renewLease', fail('lease_not_found'));
      await stage.serve();
      await stage.until('it registers again', () => stage.box.of('registerLease').length >= 2);
      await stage.echo(await stage.visit());
    },
  },
  {
    id: 'lease-gone-session',
    level: 2,
    requirement: 'After lease_not_found on openReverseSession it registers again, and serves.',
    source: 'protocol.md#what-to-do-at-each-error',
    async play(stage) {
      stage.box.next('openReverseSession', fail('lease_not_found'));
      await stage.start();
      await stage.until('it registers again', () => stage.box.of('registerLease').length >= 2);
      await stage.until('it opens a session', () => stage.box.waiting.length > 0);
      await stage.echo(await stage.visit());
    },
  },
  {
    id: 'token-refused',
    level: 2,
    requirement: 'After unauthorized it registers again, once, and stops when the new token is refused as well.',
    source: 'protocol.md#what-to-do-at-each-error',
    async play(stage) {
      const { box } = stage;
      box.next('openReverseSession', ...Array.from({ length: 100 }, () => fail('unauthorized')));
      await stage.start();
      await stage.stops('its second token is refused as well');
      const times = box.of('registerLease').length;
      if (times !== 2) throw new NotMet(`it registers ${times} times, not twice`);
    },
  },
  {
    id: 'approval',
    level: 2,
    requirement: 'While lease_rejected refuses its sessions it keeps renewing, since approval is awaited.',
    source: 'protocol.md#what-to-do-at-each-error',
    async play(stage) {
      stage.box.ttl = 4;
      const { box } = stage;
      box.next('openReverseSession', ...Array.from({ length: 100 }, () => fail('lease_rejected', { retryAfter: 15 })));
      await stage.start();
      await stage.until('it renews', () => box.of('renewLease').length >= 2);
      const tries = box.of('openReverseSession').length;
      if (tries > 40) throw new NotMet(`it tries ${tries} times in a few seconds`);
    },
  },
  {
    id: 'domain-slow',
    level: 2,
    requirement: 'A relay that does not answer is given up after a while, and tried again.',
    source: 'sdk.md#in-another-language',
    async play(stage) {
      stage.box.next('createRegisterChallenge', silence);
      await stage.start();
      await stage.until('it tries again', () => stage.box.of('createRegisterChallenge').length >= 2, 30_000);
      await stage.until('it opens a session', () => stage.box.waiting.length > 0);
    },
  },
  {
    id: 'answer-large',
    level: 2,
    requirement: 'An answer of 8 MiB is not read to its end, and does not end the process.',
    source: 'sdk.md#in-another-language',
    async play(stage) {
      const large = JSON.stringify({ ok: true, data: { filling: 'x'.repeat(8 * 1024 * 1024) } });
      await stage.serve();
      stage.box.ttl = 4;
      stage.box.next('renewLease', say(200, large, { 'Content-Type': 'application/json' }));
      await stage.echo(await stage.visit());
    },
  },
  {
    id: 'redirect',
    level: 2,
    requirement: 'A redirect is not followed: it would carry the token elsewhere.',
    source: 'sdk.md#in-another-language',
    async play(stage) {
      const { box } = stage;
      box.ttl = 4;
      let isFollowed = false;
      box.next('renewLease', say(307, '', { Location: `${box.url}/elsewhere` }));
      box.once('stray', () => (isFollowed = true));
      await stage.serve();
      await stage.until('it renews', () => box.of('renewLease').length >= 1, 8_000);
      await stage.never('it follows the redirect', () => isFollowed, 1_000);
      await stage.until('it goes on', () => box.waiting.length > 0);
    },
  },
  {
    id: 'unknown-fields',
    level: 2,
    requirement: 'Fields, carriers and features that it does not know are left alone.',
    source: 'sdk.md#in-another-language',
    async play(stage) {
      stage.box.domain = {
        protocol_version: '5',
        transports: ['raw', 'pigeon'],
        features: ['of_tomorrow'],
        of_tomorrow: { deep: [1, null] },
      };
      await stage.serve();
      await stage.echo(await stage.visit());
    },
  },
  {
    id: 'opening-garbage',
    level: 2,
    requirement: 'A session that begins with another byte than 00, 01 and 02 is closed, and another is opened.',
    source: 'protocol.md#what-the-relay-writes-first',
    async play(stage) {
      await stage.serve();
      const opened = stage.box.of('openReverseSession').length;
      const session = await stage.session();
      session.corrupt(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
      await stage.until('it closes that session', () => !stage.box.waiting.includes(session));
      await stage.until('it opens another', () => stage.box.of('openReverseSession').length > opened);
      await stage.echo(await stage.visit());
    },
  },
  {
    id: 'sessions-dropped',
    level: 2,
    requirement: 'When the relay drops every session, others are opened, and not all at once again and again.',
    source: 'protocol.md#what-the-relay-writes-first',
    async play(stage) {
      await stage.serve();
      const { box } = stage;
      const before = box.of('openReverseSession').length;
      for (const session of [...box.waiting]) session.destroy();
      await stage.until('a session is there again', () => box.waiting.length > 0);
      await stage.echo(await stage.visit());
      const opened = box.of('openReverseSession').length - before;
      if (opened > 60) throw new NotMet(`it opens ${opened} sessions`);
    },
  },
  {
    id: 'drained',
    level: 2,
    requirement:
      'A relay that goes down for an upgrade, closes what waits and refuses for a while, is served again once it is back.',
    source: 'protocol.md#what-to-do-at-each-error',
    async play(stage) {
      await stage.serve();
      const { box } = stage;
      box.next('openReverseSession', ...Array.from({ length: 8 }, () => fail('rate_limited', { retryAfter: 1 })));
      for (const session of [...box.waiting]) session.destroy();
      await stage.until('it is refused', () => box.of('openReverseSession').length >= 5);
      await stage.until('a session is there again', () => box.waiting.length > 0, 30_000);
      await stage.echo(await stage.visit());
      if (box.of('registerLease').length > 1) throw new NotMet('it registers again, though its lease lives');
    },
  },
  {
    id: 'cut-by-visitor',
    level: 2,
    requirement: 'A visitor that is cut off amid its bytes is not told to the service as one that has ended.',
    source: 'protocol.md#recycled-sessions',
    async play(stage) {
      let fate = '';
      let heard = '';
      stage.service = (socket) => {
        socket.write('welcome');
        socket.on('data', (chunk: Buffer) => (heard += chunk.toString()));
        socket.once('end', () => (fate ||= 'end'));
        socket.once('error', () => (fate ||= 'cut'));
      };
      await stage.serve();
      const visitor = await stage.visit();
      await stage.receive(visitor, 7);
      visitor.write('half a sentence');
      await stage.until('the service hears what was sent', () => heard === 'half a sentence');
      visitor.destroy();
      await stage.until('the service is told', () => fate !== '');
      if (fate !== 'cut') throw new NotMet('the service hears a clean end');
      stage.service = (socket) => void socket.pipe(socket);
      await stage.echo(await stage.visit());
    },
  },
  {
    id: 'cut-by-service',
    level: 2,
    requirement: 'A service that breaks off cuts its visitor, and no other one.',
    source: 'protocol.md#after-the-start',
    async play(stage) {
      stage.service = (socket) => void socket.once('data', () => socket.resetAndDestroy());
      await stage.serve();
      const visitor = await stage.visit();
      visitor.write('hello');
      await stage.until('the visitor is cut or ended', () => {
        visitor.read();
        return visitor.destroyed || visitor.readableEnded;
      });
      stage.service = (socket) => void socket.pipe(socket);
      await stage.echo(await stage.visit());
    },
  },
  {
    id: 'not-signed',
    level: 2,
    requirement:
      'When the relay refuses a signature the visitor gets an alert, the chain is fetched anew, and the tunnel goes on.',
    source: 'protocol.md#what-to-do-at-each-error',
    async play(stage) {
      await stage.serve();
      const { box } = stage;
      // It need not ask for the chain more than once a second.
      await stage.never('it stops', () => stage.driver.stopped !== undefined, 1_200);
      const asked = box.of('getDomain').length;
      const session = await stage.session();
      const fault = await session.visit({ refuseToSign: true }).then(
        () => undefined,
        (error: NodeJS.ErrnoException) => error,
      );
      if (fault?.code !== 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR')
        throw new NotMet(`the visitor gets ${fault?.message ?? 'a handshake'}, not the alert internal_error`);
      await stage.until('it fetches the chain', () => box.of('getDomain').length > asked);
      await stage.echo(await stage.visit());
    },
  },
  {
    id: 'certificate-change',
    level: 2,
    requirement:
      "When the relay's certificate has changed, handshakes have the new one after the next renewal at the latest.",
    source: 'protocol.md#the-life-of-a-tunnel',
    async play(stage) {
      stage.box.ttl = 4;
      await stage.serve();
      await stage.echo(await stage.visit());
      stage.box.tenants = stage.options.otherCertificate;
      const renewals = stage.box.of('renewLease').length;
      await stage.until('it renews twice', () => stage.box.of('renewLease').length >= renewals + 2);
      await stage.echo(await stage.visit());
    },
  },
  {
    id: 'clock-ahead',
    level: 2,
    requirement: "A relay whose clock is 90 s ahead is served, and the lease is renewed in time by the relay's clock.",
    source: 'sdk.md#in-another-language',
    async play(stage) {
      stage.box.clockOffset = 90_000;
      await skewed(stage);
    },
  },
  {
    id: 'clock-behind',
    level: 2,
    requirement: "A relay whose clock is 90 s behind is served, and the lease is renewed in time by the relay's clock.",
    source: 'sdk.md#in-another-language',
    async play(stage) {
      stage.box.clockOffset = -90_000;
      await skewed(stage);
    },
  },
  {
    id: 'slow-visitor',
    level: 2,
    requirement: 'A visitor that does not read holds its own service up (backpressure), and no other visitor.',
    source: 'protocol.md#after-the-start',
    async play(stage) {
      const total = 64 * 1024 * 1024;
      let written = 0;
      stage.service = (socket) => {
        const block = Buffer.alloc(256 * 1024, 0x61);
        const more = () => {
          while (written < total && !socket.destroyed) {
            written += block.length;
            if (!socket.write(block)) return void socket.once('drain', more);
          }
          socket.end();
        };
        more();
      };
      await stage.serve();
      const slow = await stage.visit();
      slow.pause();
      await stage.never(
        'the SDK takes 64 MiB for a visitor that does not read',
        () => written > 64 * 1024 * 1024,
        3_000,
      );
      stage.service = (socket) => void socket.pipe(socket);
      await stage.echo(await stage.visit());
      const got = await stage.receive(slow, total);
      if (got.length !== total) throw new NotMet(`the slow visitor gets ${got.length} bytes in the end`);
    },
  },
];

async function skewed(stage: Stage): Promise<void> {
  stage.box.ttl = 6;
  await stage.serve();
  const [registered] = stage.box.of('registerLease');
  await stage.until('it renews', () => stage.box.of('renewLease').length > 0, 6_500);
  const after = stage.box.of('renewLease')[0]!.at - registered!.at;
  if (after > 6_000) throw new NotMet('it renews when the lease has ended');
  if (after < 500) throw new NotMet('it renews at once, as if the lease were at its end');
  await stage.echo(await stage.visit());
}

/** Level 2. */
export const faults: Scenario[] = [...lying, ...declared, ...rejected, ...unknown, ...surviving];
