import { createHash, randomBytes } from 'node:crypto';
import { NotMet } from '../not-met.js';
import type { Scenario } from './scenario.js';

const bulkBytes = 5 * 1024 * 1024;

/** Level 1. */
export const serving: Scenario[] = [
  {
    id: 'sign-in',
    level: 1,
    requirement: 'It signs the message of the challenge by personal_sign and sends it back byte for byte.',
    source: 'protocol.md#the-life-of-a-tunnel',
    async play(stage) {
      await stage.serve();
      const [challenge] = stage.box.of('createRegisterChallenge');
      const { name } = (challenge?.body['identity'] ?? {}) as { name?: string };
      if (name !== 'conformance') throw new NotMet(`it asks for the name ${name}`);
    },
  },
  {
    id: 'serving',
    level: 1,
    requirement: 'Its user learns that the service is reached.',
    source: 'conformance.md#the-driver',
    async play(stage) {
      await stage.serve();
      await stage.until('it prints {"event":"serving"}', () => stage.driver.isServing);
    },
  },
  {
    id: 'sessions-several',
    level: 1,
    requirement: 'Several sessions wait, and another is opened when one is claimed.',
    source: 'protocol.md#the-life-of-a-tunnel',
    async play(stage) {
      await stage.serve();
      await stage.until('two sessions wait', () => stage.box.waiting.length >= 2);
      const waiting = stage.box.waiting.length;
      await stage.visit();
      await stage.until('as many wait as before', () => stage.box.waiting.length >= waiting);
    },
  },
  {
    id: 'sessions-quiet',
    level: 1,
    requirement: 'It writes nothing into a session before a visitor comes.',
    source: 'protocol.md#what-the-relay-writes-first',
    async play(stage) {
      await stage.serve();
      await stage.never('it writes into a session that waits', () => stage.box.earlyBytes > 0, 1_000);
      if (stage.box.waiting.length === 0) throw new NotMet('it closes its sessions, or writes into them');
    },
  },
  {
    id: 'keepalives',
    level: 1,
    requirement: 'Keepalives before a visitor are skipped.',
    source: 'protocol.md#what-the-relay-writes-first',
    async play(stage) {
      await stage.serve();
      await stage.echo(await stage.visit({ keepalives: 3 }));
    },
  },
  {
    id: 'tls',
    level: 1,
    requirement: "It ends the visitor's TLS 1.3 with the relay's chain and signature.",
    source: 'protocol.md#tenant-tls',
    async play(stage) {
      await stage.serve();
      const visitor = await stage.visit();
      if (visitor.getProtocol() !== 'TLSv1.3') throw new NotMet(`the visitor has ${visitor.getProtocol()}`);
      await stage.echo(visitor);
      if (stage.box.signed.length === 0) throw new NotMet('no signature was asked for');
    },
  },
  {
    id: 'tls-alpn',
    level: 1,
    requirement: 'It answers ALPN with http/1.1 or not at all.',
    source: 'protocol.md#tenant-tls',
    async play(stage) {
      await stage.serve();
      const visitor = await stage.visit({ ALPNProtocols: ['h2', 'http/1.1'] });
      if (visitor.alpnProtocol !== false && visitor.alpnProtocol !== 'http/1.1')
        throw new NotMet(`it selects ${visitor.alpnProtocol}`);
      await stage.echo(visitor);
    },
  },
  {
    id: 'tls-retry',
    level: 1,
    requirement: 'A ClientHello without a key share that fits is retried, and both of them are in the transcript.',
    source: 'protocol.md#the-signature',
    async play(stage) {
      await stage.serve();
      // The share that is sent is of the first group alone.
      await stage.echo(await stage.visit({ ecdhCurve: 'P-521:P-256' }));
    },
  },
  {
    id: 'tls-old',
    level: 1,
    requirement: 'A visitor without TLS 1.3 gets an alert, and the next one is served.',
    source: 'protocol.md#tenant-tls',
    async play(stage) {
      await stage.serve();
      const session = await stage.session();
      const old = session.visit({ maxVersion: 'TLSv1.2' });
      const fault = await old.then(
        () => undefined,
        (error: NodeJS.ErrnoException) => error,
      );
      if (fault?.code !== 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
        throw new NotMet(`the visitor gets ${fault?.message ?? 'a handshake'}, not the alert protocol_version`);
      await stage.echo(await stage.visit());
    },
  },
  {
    id: 'bytes',
    level: 1,
    requirement: 'Bytes arrive unchanged, in both directions.',
    source: 'protocol.md#after-the-start',
    async play(stage) {
      await stage.serve();
      const visitor = await stage.visit();
      const sent = randomBytes(bulkBytes);
      visitor.write(sent);
      const heard = await stage.receive(visitor, bulkBytes);
      if (digest(sent) !== digest(heard)) throw new NotMet('what comes back is not what was sent');
    },
  },
  {
    id: 'bytes-at-once',
    level: 1,
    requirement: 'Several visitors are served at the same time.',
    source: 'protocol.md#after-the-start',
    async play(stage) {
      await stage.serve();
      const visitors = [];
      for (let count = 0; count < 10; count++) visitors.push(await stage.visit());
      await Promise.all(visitors.map((visitor, index) => stage.echo(visitor, `visitor ${index}`)));
    },
  },
  {
    id: 'end-of-visitor',
    level: 1,
    requirement: "The end of the visitor's direction is passed on, and the answer still comes (half-close).",
    source: 'protocol.md#after-the-start',
    async play(stage) {
      let text = '';
      let heard: string | undefined;
      stage.service = (socket) => {
        socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
        socket.once('end', () => {
          heard = text;
          socket.end('answer');
        });
      };
      await stage.serve();
      const visitor = await stage.visit();
      visitor.end('question');
      await stage.until('the service hears the end of the visitor', () => heard !== undefined);
      if (heard !== 'question') throw new NotMet('the service does not hear all of it');
      const answer = await stage.receive(visitor);
      if (answer.toString() !== 'answer') throw new NotMet(`the visitor hears ${JSON.stringify(answer.toString())}`);
    },
  },
  {
    id: 'end-of-service',
    level: 1,
    requirement: "The end of the service's direction is passed on, and the visitor can still send (half-close).",
    source: 'protocol.md#after-the-start',
    async play(stage) {
      let heard = '';
      stage.service = (socket) => {
        socket.end('greeting');
        socket.on('data', (chunk: Buffer) => (heard += chunk.toString()));
      };
      await stage.serve();
      const visitor = await stage.visit();
      const greeting = await stage.receive(visitor);
      if (greeting.toString() !== 'greeting')
        throw new NotMet(`the visitor hears ${JSON.stringify(greeting.toString())}`);
      visitor.write('late words');
      await stage.until('the service hears what comes later', () => heard === 'late words');
    },
  },
  {
    id: 'sessions-again',
    level: 1,
    requirement: 'One visitor after the other is served, for as long as the tunnel is open.',
    source: 'protocol.md#recycled-sessions',
    async play(stage) {
      await stage.serve();
      for (let count = 0; count < 15; count++) {
        const visitor = await stage.visit();
        await stage.echo(visitor, `visitor ${count}`);
        visitor.end();
        await stage.receive(visitor);
      }
    },
  },
  {
    id: 'sessions-once',
    level: 1,
    requirement:
      'A relay that neither recycles sessions nor signs inside is served by sessions for one visitor each, and signHandshake.',
    source: 'protocol.md#carriers',
    async play(stage) {
      stage.box.recycles = false;
      await stage.serve();
      for (let count = 0; count < 3; count++) await stage.echo(await stage.visit(), `visitor ${count}`);
      if (!stage.box.signed.includes('POST /v1/sign')) throw new NotMet('signHandshake was not called');
    },
  },
  {
    id: 'renewal',
    level: 1,
    requirement: 'It renews the lease before its end, and uses the newest token from then on.',
    source: 'protocol.md#the-life-of-a-tunnel',
    async play(stage) {
      stage.box.ttl = 4;
      await stage.serve();
      const started = performance.now();
      const { box } = stage;
      await stage.until('it renews', () => box.of('renewLease').length >= 1, 6_000);
      const first = box.of('renewLease')[0]!;
      if (first.at - started > 4_000) throw new NotMet('it renews when the lease has ended');
      if (first.token !== 'token-1') throw new NotMet(`it renews by ${first.token ?? 'no token'}`);
      await stage.until('it renews again', () => box.of('renewLease').length >= 2, 6_000);
      if (box.of('renewLease')[1]!.token !== 'token-2') throw new NotMet('it does not renew by the newest token');
      await stage.echo(await stage.visit());
    },
  },
  {
    id: 'give-back',
    level: 1,
    requirement: 'At its end it gives the name back.',
    source: 'protocol.md#the-life-of-a-tunnel',
    async play(stage) {
      await stage.serve();
      await stage.until('it prints {"event":"serving"}', () => stage.driver.isServing);
      await stage.close();
      const [given] = stage.box.of('unregisterLease');
      if (given === undefined) throw new NotMet('unregisterLease is not called');
      if (given.token !== stage.box.token) throw new NotMet('the name is given back by another token than the newest');
    },
  },
];

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
