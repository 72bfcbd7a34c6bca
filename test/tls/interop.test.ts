/** The server against other implementations: OpenSSL, curl and GnuTLS by their command-line clients. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type TlsServerOptions, type TlsServerStream } from '../../src/tls/server/server.js';
import { TicketKeys } from '../../src/tls/handshake/tickets.js';
import { printed, runProgram } from '../support/programs.js';
import { requireTool } from '../support/tools.js';
import { type KeyKind, type TestCertificate, keyKinds, makeCertificate } from './certificate.js';
import { type TestServer, echo, startTestServer } from './test-server.js';

let folder: string;
const certificates = new Map<KeyKind, TestCertificate>();
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tls-interop-'));
  for (const kind of keyKinds) {
    const certificate = await makeCertificate(kind);
    certificates.set(kind, certificate);
    await writeFile(caFile(kind), certificate.pem);
  }
});
after(() => rm(folder, { recursive: true }));

function caFile(kind: KeyKind): string {
  return join(folder, `${kind}.pem`);
}

/** Answers the first bytes it reads with `echo: ` and the same bytes, then ends. */
function answerOnce(stream: TlsServerStream): void {
  stream.once('data', (chunk: Buffer) => stream.end(Buffer.concat([Buffer.from('echo: '), chunk])));
}

async function withServer(
  kind: KeyKind,
  options: Partial<TlsServerOptions>,
  serve: (stream: TlsServerStream) => void,
  run: (server: TestServer) => Promise<void>,
): Promise<void> {
  const server = await startTestServer(certificates.get(kind)!, options, serve);
  try {
    await run(server);
  } finally {
    await server.stop();
  }
}

/** Settles once what a stream carries matches. */
async function told(stream: NodeJS.ReadableStream, pattern: RegExp): Promise<void> {
  let text = '';
  while (!pattern.test(text)) text += String(((await once(stream, 'data')) as [Buffer])[0]);
}

describe('openssl s_client', () => {
  /** What s_client prints for one exchange of `ping`. */
  async function connect(server: TestServer, kind: KeyKind, args: string[], input = 'ping\n'): Promise<string> {
    const openssl = await requireTool('openssl');
    const target = ['s_client', '-connect', `127.0.0.1:${server.port}`, '-servername', 'a.test'];
    const trust = ['-CAfile', caFile(kind), '-verify_return_error', '-verify_hostname', 'a.test'];
    const { stdout, stderr } = await runProgram(openssl, [...target, ...trust, '-ign_eof', ...args], {
      input,
      timeoutMs: 20_000,
    });
    return stdout.toString('latin1') + stderr;
  }

  for (const suite of ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']) {
    for (const [groups, key] of [
      ['X25519', 'X25519'],
      ['P-256', 'prime256v1'],
      ['P-384', 'secp384r1'],
      // A share for P-521 alone: answered with HelloRetryRequest.
      ['P-521:P-256', 'prime256v1'],
      ['P-521:X25519', 'X25519'],
    ]) {
      it(`connects with ${suite} and ${groups}`, () =>
        withServer('P-256', {}, answerOnce, async (server) => {
          const text = await connect(server, 'P-256', ['-ciphersuites', suite, '-groups', groups!]);
          assert.match(text, /echo: ping/);
          assert.match(text, new RegExp(`Cipher is ${suite}`));
          assert.match(text, new RegExp(`Server Temp Key: .*${key}`));
          assert.match(text, /Verification: OK/);
          assert.deepEqual(server.errors, []);
        }));
    }
  }

  for (const kind of keyKinds) {
    it(`verifies the signature of a ${kind} key`, () =>
      withServer(kind, {}, answerOnce, async (server) => {
        assert.match(await connect(server, kind, []), /echo: ping/);
        assert.equal(server.signed.length, 1);
      }));
  }

  for (const [name, digest] of [
    ['rsa_pss_rsae_sha256', 'SHA256'],
    ['rsa_pss_rsae_sha384', 'SHA384'],
    ['rsa_pss_rsae_sha512', 'SHA512'],
  ]) {
    it(`verifies ${name}`, () =>
      withServer('RSA-2048', {}, answerOnce, async (server) => {
        const text = await connect(server, 'RSA-2048', ['-sigalgs', name!]);
        assert.match(text, new RegExp(`Peer signing digest: ${digest}`));
        assert.match(text, /Peer signature type: RSA-PSS/);
        assert.match(text, /echo: ping/);
        assert.equal(server.signed[0]?.schemeName, name);
      }));
  }

  it('resumes a saved session without a signature, but not under another name', () =>
    withServer('P-256', { tickets: new TicketKeys() }, answerOnce, async (server) => {
      const session = join(folder, 'session.pem');
      assert.match(await connect(server, 'P-256', ['-sess_out', session]), /New, TLSv1.3/);
      const resumed = await connect(server, 'P-256', ['-sess_in', session]);
      assert.match(resumed, /Reused, TLSv1.3/);
      assert.match(resumed, /echo: ping/);
      assert.equal(server.signed.length, 1);
      const again = await connect(server, 'P-256', ['-sess_in', session, '-groups', 'P-521:X25519']);
      assert.match(again, /Reused, TLSv1.3/);
      assert.equal(server.signed.length, 1);
      const other = await connect(server, 'P-256', ['-sess_in', session, '-servername', 'b.test']);
      assert.match(other, /New, TLSv1.3/);
      assert.match(other, /echo: ping/);
      assert.equal(server.signed.length, 2);
      assert.deepEqual(server.errors, []);
    }));

  it('exports the same keying material', () =>
    withServer('P-256', {}, answerOnce, async (server) => {
      for (const suite of ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384']) {
        const exporter = ['-keymatexport', 'EXPORTER-Test', '-keymatexportlen', '100'];
        const text = await connect(server, 'P-256', ['-ciphersuites', suite, ...exporter]);
        const material = server.streams.at(-1)!.exportKeyingMaterial(100, 'EXPORTER-Test').toString('hex');
        assert.match(text, new RegExp(`Keying material: ${material}`, 'i'));
      }
    }));

  it('updates its keys and requests a key update of the server', () =>
    withServer('P-256', {}, echo, async (server) => {
      const openssl = await requireTool('openssl');
      const args = ['s_client', '-connect', `127.0.0.1:${server.port}`, '-servername', 'a.test'];
      const child = spawn(openssl, args, { timeout: 20_000 });
      try {
        child.stdin.write('before\n');
        await printed(child, /before/);
        // k: new sending keys; K: the same and a request for new receiving keys. Neither is sent as data.
        for (const command of ['k', 'K', 'k', 'K']) {
          const text = printed(child, /after/);
          const done = told(child.stderr, /KEYUPDATE/);
          child.stdin.write(`${command}\n`);
          await done;
          child.stdin.write('after\n');
          assert.doesNotMatch(await text, new RegExp(`^${command}$`, 'm'));
        }
        const [stream] = server.streams as [TlsServerStream];
        stream.updateKeys(true);
        const last = printed(child, /last/);
        child.stdin.write('last\n');
        await last;
        child.stdin.end('Q\n');
        await once(child, 'close');
        assert.deepEqual(server.errors, []);
      } finally {
        child.kill();
      }
    }));

  it('connects without middlebox compatibility, with a retry too', () =>
    withServer('P-256', {}, answerOnce, async (server) => {
      for (const groups of ['X25519', 'P-521:X25519']) {
        const text = await connect(server, 'P-256', ['-no_middlebox', '-groups', groups]);
        assert.match(text, /echo: ping/);
      }
      assert.deepEqual(server.errors, []);
    }));

  it('has early data skipped that another server had allowed', () =>
    withServer('P-256', { tickets: new TicketKeys() }, answerOnce, async (server) => {
      const openssl = await requireTool('openssl');
      const session = join(folder, 'early-session.pem');
      const keyFile = join(folder, 'key.pem');
      await writeFile(keyFile, certificates.get('P-256')!.keyPem, { mode: 0o600 });
      const own = ['-cert', caFile('P-256'), '-key', keyFile, '-early_data', '-naccept', '1'];
      const generous = spawn(openssl, ['s_server', '-accept', '127.0.0.1:0', ...own], { timeout: 20_000 });
      try {
        const [, port] = /ACCEPT 127\.0\.0\.1:(\d+)/.exec(await printed(generous, /ACCEPT .*:\d+/))!;
        const client = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', 'a.test', '-sess_out', session];
        const first = spawn(openssl, client, { timeout: 20_000 });
        // What the server says comes after its tickets.
        generous.stdin.write('after the tickets\n');
        await printed(first, /after the tickets/);
        first.stdin.end('Q\n');
        await once(first, 'close');
      } finally {
        generous.kill();
      }
      const data = join(folder, 'early-data');
      await writeFile(data, 'x'.repeat(10_000));
      for (const more of [[], ['-groups', 'P-521:X25519']]) {
        const text = await connect(server, 'P-256', ['-sess_in', session, '-early_data', data, ...more]);
        assert.match(text, /Early data was rejected/);
        assert.match(text, /echo: ping/);
      }
      assert.deepEqual(server.errors, []);
    }));

  it('gets alerts for missing versions, groups and suites', () =>
    withServer(
      'P-256',
      { alpn: ['http/1.1'], acceptServerName: (name) => name === 'a.test' },
      answerOnce,
      async (server) => {
        const alert = async (args: string[]): Promise<string | undefined> =>
          /SSL alert number (\d+)/.exec(await connect(server, 'P-256', args))?.[1];
        assert.equal(await alert(['-tls1_2']), '70');
        assert.equal(await alert(['-alpn', 'h2']), '120');
        assert.equal(await alert(['-servername', 'c.test']), '112');
        assert.equal(await alert(['-groups', 'P-521']), '40');
        assert.equal(await alert(['-sigalgs', 'RSA-PSS+SHA256']), '40');
        assert.match(await connect(server, 'P-256', ['-alpn', 'h2,http/1.1']), /ALPN protocol: http\/1\.1/);
      },
    ));

  it('refuses a signature of another key with an alert', () => {
    const wrong = certificates.get('P-384')!;
    return withServer('P-256', { chain: wrong.chain }, answerOnce, async (server) => {
      const text = await connect(server, 'P-384', []);
      assert.doesNotMatch(text, /echo/);
      assert.equal(server.errors.length, 1);
      assert.equal((server.errors[0] as NodeJS.ErrnoException).code, 'ERR_TLS_ALERT_RECEIVED');
    });
  });
});

describe('curl', () => {
  /** A minimal HTTP/1.1 server: answers a request with the SHA-256 of its body, or with bytes it asks for. */
  function http(stream: TlsServerStream): void {
    const hash = createHash('sha256');
    let head = '';
    let missing: number | undefined;
    stream.on('data', (chunk: Buffer) => {
      let body = chunk;
      if (missing === undefined) {
        head += chunk.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        body = Buffer.from(head.slice(end + 4), 'latin1');
        missing = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      }
      hash.update(body);
      missing -= body.length;
      if (missing > 0) return;
      const answer = head.startsWith('GET /large') ? largeBody : Buffer.from(hash.digest('hex'));
      stream.end(
        Buffer.concat([
          Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${answer.length}\r\nconnection: close\r\n\r\n`),
          answer,
        ]),
      );
    });
  }
  const largeBody = randomBytes(20 * 1024 * 1024);
  const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

  async function curl(server: TestServer, path: string, args: string[], input?: Buffer) {
    const url = `https://a.test:${server.port}${path}`;
    const common = ['-sS', '--cacert', caFile('P-256'), '--resolve', `a.test:${server.port}:127.0.0.1`];
    return runProgram(await requireTool('curl'), [...common, ...args, url], { input, timeoutMs: 30_000 });
  }

  it('downloads and uploads', () =>
    withServer('P-256', { alpn: ['http/1.1'], tickets: new TicketKeys() }, http, async (server) => {
      const down = await curl(server, '/large', []);
      assert.equal(down.stderr, '');
      assert.equal(digest(down.stdout), digest(largeBody));
      const chunked = ['-T', '-', '-H', 'Transfer-Encoding:', '-H', `Content-Length: ${largeBody.length}`];
      const up = await curl(server, '/', ['-H', 'Expect:', ...chunked], largeBody);
      assert.equal(up.stdout.toString(), digest(largeBody));
      assert.equal(server.streams.at(-1)?.alpnProtocol, 'http/1.1');
    }));

  it('limited to TLS 1.2 gets protocol_version', () =>
    withServer('P-256', {}, http, async (server) => {
      const { code, stderr } = await curl(server, '/', ['--tls-max', '1.2']);
      assert.equal(code, 35);
      assert.match(stderr, /alert protocol version/);
    }));
});

describe('gnutls-cli', () => {
  async function gnutls(server: TestServer, args: string[]): Promise<string> {
    const command = await requireTool('gnutls-cli');
    const target = ['--port', String(server.port), '--sni-hostname', 'a.test', '--verify-hostname', 'a.test'];
    const { stdout, stderr } = await runProgram(
      command,
      [...target, '--x509cafile', caFile('P-256'), ...args, '127.0.0.1'],
      { input: 'ping\n', timeoutMs: 20_000 },
    );
    return stdout.toString() + stderr;
  }

  for (const priority of [
    'NORMAL',
    'NORMAL:-CIPHER-ALL:+AES-256-GCM',
    'NORMAL:-CIPHER-ALL:+CHACHA20-POLY1305',
    'NORMAL:-GROUP-ALL:+GROUP-SECP256R1',
    'NORMAL:-GROUP-ALL:+GROUP-SECP521R1:+GROUP-X25519',
    'NORMAL:%DISABLE_TLS13_COMPAT_MODE',
  ]) {
    it(`connects with ${priority}`, () =>
      withServer('P-256', {}, answerOnce, async (server) => {
        assert.match(await gnutls(server, ['--priority', priority]), /echo: ping/);
        assert.deepEqual(server.errors, []);
      }));
  }

  it('resumes without a signature', () =>
    withServer('P-256', { tickets: new TicketKeys() }, echo, async (server) => {
      assert.match(await gnutls(server, ['--resume']), /This is a resumed session/);
      assert.equal(server.signed.length, 1);
    }));

  it('without TLS 1.3 gets protocol_version', () =>
    withServer('P-256', {}, answerOnce, async (server) => {
      assert.match(await gnutls(server, ['--priority', 'NORMAL:-VERS-TLS1.3']), /protocol version/i);
    }));
});
