import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TlsAlertError } from '../../src/tls/codec/alerts.js';
import { type AlertName, extensionType, namedGroup } from '../../src/tls/codec/constants.js';
import {
  parseCertificate,
  parseClientHello,
  parseEncryptedExtensions,
  parseServerHello,
  splitHandshakeMessages,
} from '../../src/tls/codec/messages.js';
import { checkRetriedClientHello } from '../../src/tls/handshake/retry-check.js';
import {
  encodeCertificate,
  encodeEncryptedExtensions,
  encodeHelloRetryRequest,
  encodeServerHello,
} from '../../src/tls/codec/server-messages.js';
import { type HelloParts, encodeHello, encodeHelloWithTicket, helloParts, makeKeyPair } from './client-hello.js';
import { hex } from './hex.js';
import { trace } from './rfc8448-trace.js';

const { keyShare, earlyData, cookie, padding, preSharedKey, serverName, supportedGroups } = extensionType;
const alpnType = extensionType.applicationLayerProtocolNegotiation;

function throwsAlert(run: () => unknown, alert: AlertName): void {
  assert.throws(run, (error) => error instanceof TlsAlertError && error.alert === alert);
}

function someHello(): HelloParts {
  return helloParts([makeKeyPair(namedGroup.x25519)], { alpn: ['h2', 'http/1.1'] });
}

describe('parseClientHello', () => {
  it('reads the hello of RFC 8448 3', () => {
    const hello = parseClientHello(trace.clientHello);
    assert.equal(hello.raw, trace.clientHello);
    assert.equal(hello.serverName, 'server');
    assert.deepEqual(hello.cipherSuites, [0x1301, 0x1303, 0x1302]);
    assert.deepEqual(hello.supportedVersions, [0x0304]);
    assert.deepEqual(hello.supportedGroups?.slice(0, 2), [namedGroup.x25519, namedGroup.secp256r1]);
    assert.deepEqual([...hello.keyShares!.keys()], [namedGroup.x25519]);
    assert.equal(hello.keyShares?.get(namedGroup.x25519)?.length, 32);
    assert.deepEqual(hello.pskModes, [1]);
    assert.equal(hello.sessionId.length, 0);
    assert.equal(hello.alpn, undefined);
    assert.equal(hello.preSharedKey, undefined);
    assert.deepEqual(hello.extensionOrder, [0, 0xff01, 10, 35, 51, 43, 13, 45, 28]);
  });

  it('gives names in lower case and protocols in their order', () => {
    const hello = parseClientHello(
      encodeHello(helloParts([], { serverName: 'A.Test', groups: [29], alpn: ['h2', 'http/1.1'] })),
    );
    assert.equal(hello.serverName, 'a.test');
    assert.deepEqual(hello.alpn, ['h2', 'http/1.1']);
  });

  it('reads pre-shared keys with their binders', () => {
    const ticket = { ticket: Buffer.from('ticket'), obfuscatedAge: 7, psk: Buffer.alloc(32), hash: 'sha256' as const };
    const raw = encodeHelloWithTicket(someHello(), ticket);
    const { preSharedKey: keys } = parseClientHello(raw);
    assert.deepEqual(keys?.identities, [{ identity: Buffer.from('ticket'), obfuscatedTicketAge: 7 }]);
    assert.equal(keys?.binders[0]?.length, 32);
    assert.equal(keys?.bindersLength, 2 + 1 + 32);
  });

  it('accepts a ClientHello without extensions, as old clients send it', () => {
    const body = Buffer.concat([hex('0303'), Buffer.alloc(32), hex('00 0002 002f 0100')]);
    const hello = parseClientHello(Buffer.concat([Buffer.from([1, 0, 0, body.length]), body]));
    assert.deepEqual(hello.supportedVersions, []);
    assert.equal(hello.serverName, undefined);
  });

  it('refuses every truncation', () => {
    const raw = encodeHello(someHello());
    for (let length = 0; length < raw.length; length++) {
      throwsAlert(() => parseClientHello(raw.subarray(0, length)), 'decode_error');
    }
    throwsAlert(() => parseClientHello(Buffer.concat([raw, Buffer.alloc(1)])), 'decode_error');
  });

  it('refuses another message', () => {
    throwsAlert(() => parseClientHello(trace.serverHello), 'unexpected_message');
  });

  it('refuses a repeated extension', () => {
    const { extensions } = parseClientHello(trace.clientHello);
    const [first] = extensions;
    const list = Buffer.concat([...[first!, first!]].map(([type, data]) => record(type, data)));
    throwsAlert(() => parseClientHello(helloWithExtensions(list)), 'illegal_parameter');
  });

  it('refuses pre_shared_key that is not last', () => {
    const ticket = { ticket: Buffer.from('ticket'), obfuscatedAge: 7, psk: Buffer.alloc(32), hash: 'sha256' as const };
    const { extensions } = parseClientHello(encodeHelloWithTicket(someHello(), ticket));
    const parts = someHello();
    parts.extensions = new Map([[preSharedKey, extensions.get(preSharedKey)!], ...parts.extensions]);
    throwsAlert(() => parseClientHello(encodeHello(parts)), 'illegal_parameter');
  });

  const faults: [string, number, string, AlertName][] = [
    ['an empty list of names', serverName, '0000', 'decode_error'],
    ['an empty name', serverName, '0003 00 0000', 'decode_error'],
    ['a name with a control character', serverName, '0005 00 0002 6100', 'illegal_parameter'],
    ['an unknown name type', serverName, '0005 01 0002 6161', 'decode_error'],
    ['two names', serverName, '000a 00 0002 6161 00 0002 6262', 'decode_error'],
    ['an odd list of groups', supportedGroups, '0003 001d00', 'decode_error'],
    ['no group', supportedGroups, '0000', 'decode_error'],
    ['a group list with trailing bytes', supportedGroups, '0002 001d 00', 'decode_error'],
    ['two shares of one group', keyShare, '000a 001d 0001 aa 001d 0001 bb', 'illegal_parameter'],
    ['an empty share', keyShare, '0004 001d 0000', 'decode_error'],
    ['an empty protocol name', alpnType, '0001 00', 'decode_error'],
    ['no version', extensionType.supportedVersions, '00', 'decode_error'],
    ['no PSK mode', extensionType.pskKeyExchangeModes, '00', 'decode_error'],
  ];
  for (const [what, type, data, alert] of faults) {
    it(`refuses ${what}`, () => {
      const parts = someHello();
      parts.extensions.set(type, hex(data));
      throwsAlert(() => parseClientHello(encodeHello(parts)), alert);
    });
  }

  it('refuses binders that are not one for each identity', () => {
    const parts = someHello();
    const identity = `0007 0001 aa 00000000`;
    parts.extensions.set(preSharedKey, hex(`${identity} 0042 20${'00'.repeat(32)} 20${'00'.repeat(32)}`));
    throwsAlert(() => parseClientHello(encodeHello(parts)), 'illegal_parameter');
  });
});

describe('parseServerHello', () => {
  it('reads the one of RFC 8448 3', () => {
    const hello = parseServerHello(trace.serverHello);
    assert.equal(hello.cipherSuite, 0x1301);
    assert.equal(hello.selectedVersion, 0x0304);
    assert.equal(hello.keyShareGroup, namedGroup.x25519);
    assert.equal(hello.isHelloRetryRequest, false);
    assert.equal(hello.extensions.has(preSharedKey), false);
  });

  it('knows a HelloRetryRequest', () => {
    const hello = parseServerHello(encodeHelloRetryRequest(Buffer.from('id'), 0x1302, namedGroup.secp256r1));
    assert.equal(hello.isHelloRetryRequest, true);
    assert.equal(hello.cipherSuite, 0x1302);
    assert.equal(hello.keyShareGroup, namedGroup.secp256r1);
    assert.deepEqual(hello.sessionIdEcho, Buffer.from('id'));
  });

  it('shows a selected pre-shared key', () => {
    const hello = parseServerHello(encodeServerHello(Buffer.alloc(0), 0x1301, 29, Buffer.alloc(32), 0));
    assert.deepEqual(hello.extensions.get(preSharedKey), hex('0000'));
  });

  it('refuses truncation, trailing bytes, an old version and compression', () => {
    for (let length = 0; length < trace.serverHello.length; length++) {
      throwsAlert(() => parseServerHello(trace.serverHello.subarray(0, length)), 'decode_error');
    }
    throwsAlert(() => parseServerHello(Buffer.concat([trace.serverHello, Buffer.alloc(1)])), 'decode_error');
    throwsAlert(() => parseServerHello(trace.clientHello), 'unexpected_message');
    throwsAlert(() => parseServerHello(changed(trace.serverHello, 5, 2)), 'illegal_parameter');
    throwsAlert(() => parseServerHello(changed(trace.serverHello, 4 + 2 + 32 + 1 + 2, 1)), 'illegal_parameter');
  });
});

describe('parseEncryptedExtensions', () => {
  it('reads the ones of RFC 8448 3', () => {
    const { extensions, alpn } = parseEncryptedExtensions(trace.encryptedExtensions);
    assert.deepEqual([...extensions.keys()], [10, 28, 0]);
    assert.equal(alpn, undefined);
  });

  it('gives the one protocol', () => {
    assert.equal(parseEncryptedExtensions(encodeEncryptedExtensions('http/1.1', true)).alpn, 'http/1.1');
  });

  it('refuses several protocols, repeats, truncation and trailing bytes', () => {
    throwsAlert(() => parseEncryptedExtensions(hex('08 00000c 000a 0010 0006 0004 0161 0162')), 'illegal_parameter');
    throwsAlert(() => parseEncryptedExtensions(hex('08 00000a 0008 0000 0000 0000 0000')), 'illegal_parameter');
    throwsAlert(() => parseEncryptedExtensions(trace.encryptedExtensions.subarray(0, -1)), 'decode_error');
    throwsAlert(() => parseEncryptedExtensions(hex('08 000003 0000 00')), 'decode_error');
  });
});

describe('parseCertificate', () => {
  it('reads the one of RFC 8448 3', () => {
    const { context, entries } = parseCertificate(trace.certificate);
    assert.equal(context.length, 0);
    assert.equal(entries.length, 1);
    assert.equal(entries[0]?.certificate.length, 0x1b0);
    assert.equal(entries[0]?.extensions.length, 0);
  });

  it('gives back the chain that was written', () => {
    const chain = [Buffer.alloc(20_000, 1), Buffer.alloc(3, 2)];
    const { entries } = parseCertificate(encodeCertificate(chain));
    assert.deepEqual(
      entries.map(({ certificate }) => certificate),
      chain,
    );
  });

  it('shows a context and extensions, which a server must not send unasked', () => {
    const { context, entries } = parseCertificate(hex('0b 00000e 01aa 000009 000001bb 0003 010203'));
    assert.deepEqual(context, hex('aa'));
    assert.deepEqual(entries, [{ certificate: hex('bb'), extensions: hex('010203') }]);
  });

  it('refuses an empty certificate, truncation and trailing bytes', () => {
    throwsAlert(() => parseCertificate(hex('0b 000009 00 000005 000000 0000')), 'decode_error');
    throwsAlert(() => parseCertificate(trace.certificate.subarray(0, -1)), 'decode_error');
    throwsAlert(() => parseCertificate(hex('0b 000005 00 000000 00')), 'decode_error');
  });
});

describe('splitHandshakeMessages', () => {
  const messages = [trace.clientHello, trace.serverHello, trace.encryptedExtensions, trace.certificate];

  it('splits consecutive messages', () => {
    assert.deepEqual(splitHandshakeMessages(Buffer.concat(messages)), messages);
    assert.deepEqual(splitHandshakeMessages(Buffer.alloc(0)), []);
    assert.deepEqual(splitHandshakeMessages(hex('14000000')), [hex('14000000')]);
  });

  it('refuses a truncated last message', () => {
    const all = Buffer.concat(messages);
    for (const missing of [1, 2, 100])
      throwsAlert(() => splitHandshakeMessages(all.subarray(0, -missing)), 'decode_error');
    for (const trailing of [1, 2, 3]) {
      throwsAlert(() => splitHandshakeMessages(Buffer.concat([all, Buffer.alloc(trailing)])), 'decode_error');
    }
  });
});

describe('checkRetriedClientHello', () => {
  const retry = parseServerHello(encodeHelloRetryRequest(Buffer.alloc(32), 0x1301, namedGroup.secp256r1));
  const first = helloParts([makeKeyPair(namedGroup.x25519)], { groups: [29, 23], alpn: ['http/1.1'] });
  const second = (change: (parts: HelloParts) => void = () => undefined): HelloParts => {
    const parts = { ...first, extensions: new Map(first.extensions) };
    parts.extensions.set(keyShare, helloParts([makeKeyPair(namedGroup.secp256r1)]).extensions.get(keyShare)!);
    change(parts);
    return parts;
  };
  const check = (changeSecond?: (parts: HelloParts) => void, changeFirst?: (parts: HelloParts) => void): void => {
    const initial = { ...first, extensions: new Map(first.extensions) };
    changeFirst?.(initial);
    const parse = (parts: HelloParts) => parseClientHello(encodeHello(parts));
    checkRetriedClientHello(parse(initial), parse(second(changeSecond)), retry);
  };
  const refused = (changeSecond: (parts: HelloParts) => void, changeFirst?: (parts: HelloParts) => void): void =>
    throwsAlert(() => check(changeSecond, changeFirst), 'illegal_parameter');

  it('accepts the requested share, padding, removed early data and another order', () => {
    check();
    check((parts) => parts.extensions.set(padding, Buffer.alloc(9)));
    check(undefined, (parts) => parts.extensions.set(earlyData, Buffer.alloc(0)));
    check((parts) => {
      parts.extensions = new Map([...parts.extensions].reverse());
    });
  });

  it('refuses any other difference', () => {
    refused((parts) => (parts.random = Buffer.alloc(32)));
    refused((parts) => (parts.sessionId = Buffer.alloc(32)));
    refused((parts) => (parts.legacyVersion = 0x0302));
    refused((parts) => (parts.cipherSuites = parts.cipherSuites.slice(1)));
    refused((parts) => (parts.cipherSuites = [...parts.cipherSuites].reverse()));
    refused((parts) => (parts.compressionMethods = hex('0001')));
    refused((parts) => parts.extensions.set(serverName, hex('0009 00 0006 622e74657374')));
    refused((parts) => parts.extensions.delete(serverName));
    refused((parts) => parts.extensions.delete(alpnType));
    refused((parts) => parts.extensions.set(0x1234, Buffer.alloc(0)));
  });

  it('refuses shares that were not requested', () => {
    refused((parts) => parts.extensions.set(keyShare, first.extensions.get(keyShare)!));
    refused((parts) => parts.extensions.delete(keyShare));
    refused((parts) => {
      const pairs = [makeKeyPair(namedGroup.secp256r1), makeKeyPair(namedGroup.x25519)];
      parts.extensions.set(keyShare, helloParts(pairs).extensions.get(keyShare)!);
    });
  });

  it('refuses early data and an unknown cookie', () => {
    refused((parts) => parts.extensions.set(earlyData, Buffer.alloc(0)));
    refused((parts) => parts.extensions.set(cookie, hex('0001aa')));
  });

  it('accepts dropped and updated pre-shared keys, not added ones', () => {
    const psks = (...identities: string[]): Buffer => {
      const list = Buffer.concat(identities.map((identity) => hex(`0001${identity}00000000`)));
      const binders = Buffer.concat(identities.map(() => hex(`20${'00'.repeat(32)}`)));
      return Buffer.concat([uint16(list.length), list, uint16(binders.length), binders]);
    };
    const with_ = (data: Buffer) => (parts: HelloParts) => parts.extensions.set(preSharedKey, data);
    check(with_(psks('aa', 'bb')), with_(psks('aa', 'bb')));
    check(with_(psks('bb')), with_(psks('aa', 'bb')));
    check(undefined, with_(psks('aa', 'bb')));
    refused(with_(psks('aa')));
    refused(with_(psks('cc')), with_(psks('aa', 'bb')));
    refused(with_(psks('bb', 'aa')), with_(psks('aa', 'bb')));
  });

  it('refuses a ServerHello in the place of the retry', () => {
    const hello = parseClientHello(encodeHello(first));
    throwsAlert(() => checkRetriedClientHello(hello, hello, parseServerHello(trace.serverHello)), 'illegal_parameter');
  });
});

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function record(type: number, data: Buffer): Buffer {
  return Buffer.concat([uint16(type), uint16(data.length), data]);
}

function helloWithExtensions(list: Buffer): Buffer {
  const body = Buffer.concat([hex('0303'), Buffer.alloc(32), hex('00 0002 1301 0100'), uint16(list.length), list]);
  return Buffer.concat([Buffer.from([1, 0, body.length >> 8, body.length & 0xff]), body]);
}

function changed(bytes: Buffer, offset: number, value: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[offset] = value;
  return copy;
}
