import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { extensionType, namedGroup } from '../../src/tls/codec/constants.js';
import { type TicketSession, TicketKeys } from '../../src/tls/handshake/tickets.js';
import { type TlsServerOptions } from '../../src/tls/server/server.js';
import { type TestCertificate, makeCertificate } from './certificate.js';
import {
  type HelloOptions,
  type HelloParts,
  type OfferedTicket,
  encodeHelloWithTicket,
  encodeHello,
  helloParts,
  keyShares,
  makeKeyPair,
  plainRecord,
} from './client-hello.js';
import { type Connection, connectInMemory, connectSecurely } from './connection.js';
import { type Ticket, offer } from './raw-client.js';

const context = Buffer.from('context');

class Clock {
  ms = 1_000_000;
  readonly now = (): number => this.ms;
}

function session(keys: TicketKeys): TicketSession {
  return { hash: 'sha256', psk: Buffer.alloc(32, 7), authenticatedAt: keys.now(), isQuantumSafe: false };
}

describe('TicketKeys', () => {
  it('give back the session of a ticket, at the age it has', () => {
    const clock = new Clock();
    const keys = new TicketKeys({ now: clock.now });
    const given = session(keys);
    const issued = keys.issue(given, context)!;
    assert.equal(issued.lifetimeSeconds, 3_600);
    clock.ms += 500_000;
    assert.deepEqual(keys.redeem(issued.ticket, (issued.ageAdd + 500_000) >>> 0, context), given);
  });

  it('keep SHA-384 sessions apart', () => {
    const keys = new TicketKeys();
    const given = { hash: 'sha384', psk: randomBytes(48), authenticatedAt: keys.now(), isQuantumSafe: true } as const;
    const { ticket, ageAdd } = keys.issue(given, context)!;
    assert.deepEqual(keys.redeem(ticket, ageAdd, context), given);
  });

  it('do not open in another context, with other keys, or with a modified byte', () => {
    const keys = new TicketKeys();
    const { ticket, ageAdd } = keys.issue(session(keys), context)!;
    assert.equal(keys.redeem(ticket, ageAdd, Buffer.from('other')), undefined);
    assert.equal(new TicketKeys().redeem(ticket, ageAdd, context), undefined);
    for (let index = 0; index < ticket.length; index++) {
      const changed = Buffer.from(ticket);
      changed[index]! ^= 1;
      assert.equal(keys.redeem(changed, ageAdd, context), undefined);
      assert.equal(keys.redeem(ticket.subarray(0, index), ageAdd, context), undefined);
    }
    assert(keys.redeem(ticket, ageAdd, context));
  });

  it('do not open an expired ticket, or one with a wrong age', () => {
    const clock = new Clock();
    const keys = new TicketKeys({ lifetimeSeconds: 100, now: clock.now });
    const { ticket, ageAdd } = keys.issue(session(keys), context)!;
    clock.ms += 99_999;
    assert(keys.redeem(ticket, (ageAdd + 99_999) >>> 0, context));
    assert(keys.redeem(ticket, (ageAdd + 99_999 - 50_000) >>> 0, context));
    assert.equal(keys.redeem(ticket, ageAdd, context), undefined);
    assert.equal(keys.redeem(ticket, (ageAdd + 170_000) >>> 0, context), undefined);
    assert.equal(keys.redeem(ticket, (ageAdd - 1) >>> 0, context), undefined);
    clock.ms += 1;
    assert.equal(keys.redeem(ticket, (ageAdd + 100_000) >>> 0, context), undefined);
  });

  it('count the lifetime from the signature: a resumed session gets the rest', () => {
    const clock = new Clock();
    const keys = new TicketKeys({ lifetimeSeconds: 100, now: clock.now });
    const given = session(keys);
    clock.ms += 60_000;
    assert.equal(keys.issue(given, context)?.lifetimeSeconds, 40);
    clock.ms += 39_500;
    assert.equal(keys.issue(given, context), undefined);
  });

  it('rotate: an old ticket opens for its lifetime and not longer', () => {
    const clock = new Clock();
    const keys = new TicketKeys({ lifetimeSeconds: 100, now: clock.now });
    const name = (ticket: Buffer): string => ticket.subarray(0, 8).toString('hex');
    const early = keys.issue(session(keys), context)!;
    clock.ms += 99_000;
    const late = keys.issue(session(keys), context)!;
    assert.equal(name(late.ticket), name(early.ticket));
    clock.ms += 2_000;
    const next = keys.issue(session(keys), context)!;
    assert.notEqual(name(next.ticket), name(early.ticket));
    clock.ms += 95_000;
    assert(keys.redeem(late.ticket, (late.ageAdd + 97_000) >>> 0, context));
  });

  it('are valid for at most an hour', () => {
    for (const lifetimeSeconds of [3_601, 0, -1, Number.NaN]) {
      assert.throws(() => new TicketKeys({ lifetimeSeconds }), RangeError);
    }
  });
});

describe('resumption', () => {
  let certificate: TestCertificate;
  let otherCertificate: TestCertificate;
  before(async () => {
    certificate = await makeCertificate();
    otherCertificate = await makeCertificate();
  });

  /** A full handshake and the two tickets it brought. */
  async function getTickets(
    options: Partial<TlsServerOptions>,
    hello: HelloOptions = { cipherSuites: [0x1301] },
  ): Promise<[Ticket, Ticket]> {
    const { client, stream } = await connectSecurely(certificate, options, hello);
    const tickets: [Ticket, Ticket] = [await client.ticket(), await client.ticket()];
    stream.destroy();
    return tickets;
  }

  interface Attempt extends Connection {
    readonly selectedPsk: boolean;
  }

  /** A handshake that offers a ticket. */
  async function attempt(
    offered: OfferedTicket,
    options: Partial<TlsServerOptions>,
    hello: HelloOptions = { cipherSuites: [0x1301] },
    change: (parts: HelloParts) => void = () => undefined,
    server: TestCertificate = certificate,
  ): Promise<Attempt> {
    const connection = connectInMemory(server, options);
    const { client } = connection;
    const pair = makeKeyPair(namedGroup.secp256r1);
    const parts = helloParts([pair], hello);
    change(parts);
    client.sendHello(encodeHelloWithTicket(parts, offered));
    const answer = await client.readFlight(pair, offered.psk);
    client.finish();
    await connection.secured;
    return { ...connection, selectedPsk: answer.extensions.has(extensionType.preSharedKey) };
  }

  async function assertFull(attempted: Promise<Attempt>): Promise<void> {
    const { selectedPsk, signed, stream } = await attempted;
    assert.equal(selectedPsk, false);
    assert.equal(stream.resumed, false);
    assert.equal(signed.length, 1);
    stream.destroy();
  }

  it('needs no signature and carries data; each of the two tickets serves', async () => {
    const options = { tickets: new TicketKeys() };
    for (const suite of [0x1301, 0x1302, 0x1303]) {
      for (const ticket of await getTickets(options, { cipherSuites: [suite] })) {
        const resumed = await attempt(offer(ticket), options, { cipherSuites: [suite] });
        assert.equal(resumed.selectedPsk, true);
        assert.equal(resumed.stream.resumed, true);
        assert.equal(resumed.signed.length, 0);
        resumed.stream.write('resumed');
        const next = await resumed.client.ticket();
        assert.notDeepEqual(next.ticket, ticket.ticket);
        assert.equal((await resumed.client.data(7)).toString(), 'resumed');
        resumed.stream.destroy();
      }
    }
  });

  it('can be repeated until an hour after the signature', async () => {
    const clock = new Clock();
    const options = { tickets: new TicketKeys({ now: clock.now }) };
    let [ticket] = await getTickets(options);
    for (let minutes = 20; minutes < 60; minutes += 20) {
      clock.ms += 20 * 60_000;
      const resumed = await attempt(offer(ticket, 20 * 60_000), options);
      assert.equal(resumed.selectedPsk, true);
      ticket = await resumed.client.ticket();
      assert.equal(ticket.lifetimeSeconds, 3_600 - minutes * 60);
      resumed.stream.destroy();
    }
    clock.ms += 20 * 60_000;
    await assertFull(attempt(offer(ticket, 20 * 60_000), options));
  });

  it('is a full handshake for another name, protocol or certificate chain', async () => {
    const options = { tickets: new TicketKeys(), alpn: ['h2', 'http/1.1'] };
    const hello = { cipherSuites: [0x1301], alpn: ['http/1.1'] };
    const [ticket] = await getTickets(options, hello);
    await assertFull(attempt(offer(ticket), options, { ...hello, serverName: 'b.test' }));
    await assertFull(attempt(offer(ticket), options, hello, (p) => p.extensions.delete(extensionType.serverName)));
    await assertFull(attempt(offer(ticket), options, { ...hello, alpn: ['h2'] }));
    await assertFull(attempt(offer(ticket), options, { cipherSuites: [0x1301] }));
    await assertFull(attempt(offer(ticket), options, hello, undefined, otherCertificate));
    const again = await attempt(offer(ticket), options, hello);
    assert.equal(again.selectedPsk, true);
    again.stream.destroy();
  });

  it('is a full handshake with an expired ticket, a wrong age, other keys or an invalid ticket', async () => {
    const clock = new Clock();
    const options = { tickets: new TicketKeys({ now: clock.now, lifetimeSeconds: 60 }) };
    const [ticket] = await getTickets(options);
    assert(ticket.lifetimeSeconds <= 60);
    await assertFull(attempt(offer(ticket, 90_000), options));
    await assertFull(attempt(offer(ticket), { tickets: new TicketKeys() }));
    await assertFull(attempt(offer(ticket), {}));
    await assertFull(attempt({ ...offer(ticket), ticket: randomBytes(100) }, options));
    clock.ms += 60_000;
    await assertFull(attempt(offer(ticket, 60_000), options));
  });

  it('is a full handshake without (EC)DHE, or with a suite of another hash', async () => {
    const options = { tickets: new TicketKeys() };
    const [ticket] = await getTickets(options);
    const pskOnly = (parts: HelloParts) => parts.extensions.set(extensionType.pskKeyExchangeModes, Buffer.from([1, 0]));
    await assertFull(attempt(offer(ticket), options, undefined, pskOnly));
    await assertFull(attempt(offer(ticket), options, { cipherSuites: [0x1302] }));
    const chacha = await attempt(offer(ticket), options, { cipherSuites: [0x1303] });
    assert.equal(chacha.selectedPsk, true);
    chacha.stream.destroy();
  });

  it('gives no tickets to clients that cannot use them, or without ticket keys', async () => {
    for (const [options, modes] of [
      [{ tickets: new TicketKeys() }, Buffer.from([1, 0])],
      [{}, Buffer.from([1, 1])],
    ] as const) {
      const { client, stream, secured } = connectInMemory(certificate, options);
      const pair = makeKeyPair(namedGroup.secp256r1);
      const parts = helloParts([pair]);
      parts.extensions.set(extensionType.pskKeyExchangeModes, modes);
      client.sendHello(encodeHello(parts));
      await client.readFlight(pair);
      client.finish();
      await secured;
      stream.write('first');
      assert.equal((await client.next())?.type, 23);
      stream.destroy();
    }
  });

  it('with a wrong binder is answered with decrypt_error', async () => {
    const options = { tickets: new TicketKeys() };
    const [ticket] = await getTickets(options);
    const connection = connectInMemory(certificate, options);
    const wrong = { ...offer(ticket), psk: randomBytes(32) };
    const parts = helloParts([makeKeyPair(namedGroup.secp256r1)], { cipherSuites: [0x1301] });
    connection.client.sendHello(encodeHelloWithTicket(parts, wrong));
    assert.equal(await connection.client.alert(), 'decrypt_error');
    connection.client.transport.end();
    await connection.closed;
  });

  it('without psk_key_exchange_modes is answered with missing_extension', async () => {
    const connection = connectInMemory(certificate, { tickets: new TicketKeys() });
    const parts = helloParts([makeKeyPair(namedGroup.secp256r1)]);
    parts.extensions.delete(extensionType.pskKeyExchangeModes);
    const nonsense = { ticket: randomBytes(100), obfuscatedAge: 0, psk: randomBytes(32), hash: 'sha256' as const };
    connection.client.sendHello(encodeHelloWithTicket(parts, nonsense));
    assert.equal(await connection.client.alert(), 'missing_extension');
    connection.client.transport.end();
    await connection.closed;
  });

  it('works with a HelloRetryRequest, and skips early data', async () => {
    const options = { tickets: new TicketKeys() };
    const [ticket, second] = await getTickets(options);
    const connection = connectInMemory(certificate, options);
    const { client, stream, secured, signed } = connection;
    const hello = { cipherSuites: [0x1301], groups: [0x18, namedGroup.secp256r1] };
    const parts = helloParts([], hello);
    parts.extensions.set(extensionType.earlyData, Buffer.alloc(0));
    client.sendHello(encodeHelloWithTicket(parts, offer(ticket)));
    client.write(plainRecord(23, randomBytes(5_000)));
    const retry = await client.serverHello();
    assert.equal(retry.isHelloRetryRequest, true);
    client.messages.push(retry.raw);
    const pair = makeKeyPair(namedGroup.secp256r1);
    parts.extensions.delete(extensionType.earlyData);
    parts.extensions.set(extensionType.keyShare, keyShares([pair]));
    const [first] = client.messages as [Buffer, Buffer];
    client.sendHello(encodeHelloWithTicket(parts, offer(ticket), [messageHash(first), retry.raw]));
    const answer = await client.readFlight(pair, ticket.psk);
    assert.equal(answer.extensions.has(extensionType.preSharedKey), true);
    client.finish();
    await secured;
    assert.equal(signed.length, 0);
    stream.destroy();

    const early = connectInMemory(certificate, options);
    const earlyParts = helloParts([pair], { cipherSuites: [0x1301] });
    earlyParts.extensions.set(extensionType.earlyData, Buffer.alloc(0));
    early.client.sendHello(encodeHelloWithTicket(earlyParts, offer(second)));
    early.client.write(plainRecord(23, randomBytes(5_000)));
    await early.client.readFlight(pair, second.psk);
    early.client.write(plainRecord(23, randomBytes(5_000)));
    early.client.finish();
    await early.secured;
    assert.equal(early.stream.resumed, true);
    early.stream.destroy();
  });
});

/** What stands for the first ClientHello after a retry (RFC 8446 4.4.1). */
function messageHash(hello: Buffer): Buffer {
  return Buffer.concat([Buffer.from([254, 0, 0, 32]), createHash('sha256').update(hello).digest()]);
}
