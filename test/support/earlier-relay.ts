import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { SiweMessage } from 'siwe';
import { certificateFiles, type TestCertificate } from './certificates.js';
import { requireTool } from './tools.js';
import { listening } from './tunnel.js';

/** The only fields that such a relay knows: it refuses others, as a strict parser does. */
const challengeFields = ['identity', 'metadata', 'ttl', 'udp_enabled', 'tcp_enabled'];
const skewSeconds = 30;

/**
 * A relay as docs/protocol.md has it under "Relays of earlier releases", written from that text alone: nothing of the
 * project's relay is in it, and OpenSSL signs.
 */
export class EarlierRelay {
  /** Of `/sdk/domain`. */
  domain: object = { protocol_version: '5', release_version: 'v2.1.2' };
  statement = 'Register a portal lease';
  /** Answers the next GETs of `/sdk/connect` in turn, instead of a session. */
  readonly connectAnswers: string[] = [];
  readonly counts = { domain: 0, challenge: 0, register: 0, renew: 0, unregister: 0, connect: 0, sign: 0 };
  /** Headers of each GET of `/sdk/connect`. */
  readonly heads: string[] = [];
  readonly #waiting: TLSSocket[] = [];
  readonly #wanted: ((session: TLSSocket) => void)[] = [];
  readonly #challenges = new Map<string, { message: string; name: string; tcp: boolean }>();
  readonly #tokens = new Set<string>();
  readonly #nonces = new Set<string>();
  readonly #dir: string;
  #key: string;
  #isOver = false;

  private constructor(
    readonly url: string,
    readonly ca: string,
    private readonly api: ReturnType<typeof createTlsServer>,
    readonly publicPort: number,
    readonly tcpPort: number,
    certificate: TestCertificate,
    private readonly openssl: string,
  ) {
    this.#key = certificate.keyFile;
    this.#dir = mkdtempSync(join(tmpdir(), 'portal-earlier-'));
  }

  static async start(t: TestContext, kind: 'ec' | 'rsa' = 'ec'): Promise<EarlierRelay> {
    const openssl = await requireTool('openssl');
    const certificate = await certificateFiles('portal.localhost', kind);
    t.after(() => certificate.remove());
    const listen = async (server: Server) => (await listening(t, server, 0)).port;
    const http = createHttpServer();
    const api = createTlsServer({
      cert: certificate.certPem,
      key: readFileSync(certificate.keyFile),
      ALPNProtocols: ['http/1.1'],
      allowHalfOpen: true,
    });
    api.on('tlsClientError', () => {});
    const [visitors, tcpVisitors] = [
      createTcpServer({ allowHalfOpen: true }),
      createTcpServer({ allowHalfOpen: true }),
    ];
    const [apiPort, publicPort, tcpPort] = [await listen(api), await listen(visitors), await listen(tcpVisitors)];
    const url = `https://portal.localhost:${apiPort}`;
    const relay = new EarlierRelay(url, certificate.certPem, api, publicPort, tcpPort, certificate, openssl);
    t.after(() => relay.#end());
    api.on('secureConnection', (socket) => relay.#arrived(socket, http));
    http.on('request', (request, response) => void relay.#answer(request, response));
    visitors.on('connection', (socket) => void relay.#join(socket, 0x02));
    tcpVisitors.on('connection', (socket) => void relay.#join(socket, 0x01));
    return relay;
  }

  /** Another certificate and key, from now on. */
  replace(certificate: TestCertificate): void {
    this.#key = certificate.keyFile;
    this.api.setSecureContext({ cert: certificate.certPem, key: readFileSync(certificate.keyFile) });
  }

  #end(): void {
    this.#isOver = true;
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** The first request of a connection may be for a session; all others are the HTTP server's. */
  #arrived(socket: TLSSocket, http: ReturnType<typeof createHttpServer>): void {
    socket.on('error', () => {});
    let bytes = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf('\r\n\r\n');
      if (end === -1) return;
      socket.off('data', onData).pause();
      const head = bytes.toString('latin1', 0, end);
      if (head.startsWith('GET /sdk/connect ')) this.#connect(socket, head);
      else {
        socket.unshift(bytes);
        http.emit('connection', socket);
        socket.resume();
      }
    };
    socket.on('data', onData);
  }

  #connect(socket: TLSSocket, head: string): void {
    this.counts.connect++;
    this.heads.push(head);
    const token = /^x-portal-access-token: (.*)$/im.exec(head)?.[1];
    const scripted = this.connectAnswers.shift();
    if (scripted !== undefined || !this.#tokens.has(token ?? '')) {
      const body = '{"ok":false,"error":{"code":"lease_not_found","message":"lease not found"}}';
      socket.end(scripted ?? `HTTP/1.1 404 Not Found\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      return;
    }
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n\0');
    const wanted = this.#wanted.shift();
    if (wanted) wanted(socket);
    else this.#waiting.push(socket);
    socket.once('close', () => {
      const at = this.#waiting.indexOf(socket);
      if (at !== -1) this.#waiting.splice(at, 1);
    });
  }

  async #join(visitor: Socket, marker: number): Promise<void> {
    const session =
      this.#waiting.shift() ??
      (await new Promise<TLSSocket>((resolve) => this.#wanted.push((given) => resolve(given))));
    if (this.#isOver) return;
    session.write(Buffer.from([marker]));
    visitor.pipe(session);
    session.pipe(visitor);
    session.once('close', () => visitor.destroy());
    visitor.once('close', () => session.destroy());
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const token = request.headers['x-portal-access-token'] as string | undefined;
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    const body: any = request.method === 'POST' ? await json(request) : undefined;
    const reply = (status: number, value: unknown) =>
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
    const succeed = (status: number, data: object) => reply(status, { ok: true, data });
    const fail = (status: number, code: string) => reply(status, { ok: false, error: { code, message: code } });
    switch (`${request.method} ${request.url}`) {
      case 'GET /sdk/domain':
        this.counts.domain++;
        return void succeed(200, this.domain);
      case 'POST /sdk/register/challenge': {
        this.counts.challenge++;
        if (Object.keys(body).some((field) => !challengeFields.includes(field))) return void fail(400, 'invalid_json');
        const id = `rch_${randomBytes(8).toString('hex')}`;
        const message = this.#message(id, body.identity.address);
        this.#challenges.set(id, { message, name: body.identity.name, tcp: body.tcp_enabled === true });
        return void succeed(201, { challenge_id: id, expires_at: inSeconds(120), siwe_message: message });
      }
      case 'POST /sdk/register': {
        this.counts.register++;
        const challenge = this.#challenges.get(body.challenge_id);
        this.#challenges.delete(body.challenge_id);
        if (challenge?.message !== body.siwe_message) return void fail(401, 'unauthorized');
        const message = new SiweMessage(body.siwe_message);
        const isSigned = await message.verify({ signature: body.siwe_signature }).catch(() => ({ success: false }));
        if (!isSigned.success) return void fail(401, 'unauthorized');
        const identity = { name: challenge!.name, address: message.address };
        const ports = challenge!.tcp ? { tcp_enabled: true, tcp_addr: `portal.localhost:${this.tcpPort}` } : {};
        const hostname = `${challenge!.name}.portal.localhost`;
        return void succeed(201, { identity, hostname, sni_port: this.publicPort, ...ports, ...this.#lease() });
      }
      case 'POST /sdk/renew':
        this.counts.renew++;
        return void (this.#tokens.has(token ?? body.access_token)
          ? succeed(200, this.#lease())
          : fail(404, 'lease_not_found'));
      case 'POST /sdk/unregister':
        this.counts.unregister++;
        return void succeed(200, {});
      case 'POST /v1/sign':
        this.counts.sign++;
        if (!this.#tokens.has(token ?? '')) return void fail(401, 'unauthorized');
        return void (await this.#sign(body, reply));
      default:
        return void fail(404, 'invalid_request');
    }
  }

  #lease(): object {
    const token = randomBytes(12).toString('base64url');
    this.#tokens.add(token);
    return { access_token: token, expires_at: inSeconds(30) };
  }

  async #sign(
    body: { key_id: string; algorithm: string; digest: string; timestamp_unix: number; nonce: string },
    reply: (status: number, value: unknown) => unknown,
  ): Promise<void> {
    const isFresh = Math.abs(Date.now() / 1000 - body.timestamp_unix) <= skewSeconds && !this.#nonces.has(body.nonce);
    const [, kind, bits] = /^(ECDSA|RSA_PSS)_SHA(256|384|512)$/.exec(body.algorithm) ?? [];
    if (!isFresh || !kind || body.key_id !== 'relay-cert') {
      reply(400, { ok: false, error: { code: 'invalid_request', message: 'invalid' } });
      return;
    }
    this.#nonces.add(body.nonce);
    const [input, output] = [join(this.#dir, `${body.nonce}.in`), join(this.#dir, `${body.nonce}.out`)];
    writeFileSync(input, Buffer.from(body.digest, 'base64'));
    const padding = kind === 'RSA_PSS' ? ['rsa_padding_mode:pss', 'rsa_pss_saltlen:digest'] : [];
    const options = [`digest:sha${bits}`, ...padding].flatMap((option) => ['-pkeyopt', option]);
    await promisify(execFile)(this.openssl, [
      ...['pkeyutl', '-sign', '-inkey', this.#key, '-in', input, '-out', output],
      ...options,
    ]);
    const signature = readFileSync(output).toString('base64');
    reply(200, { key_id: body.key_id, algorithm: body.algorithm, signature });
  }

  #message(id: string, address: string): string {
    return new SiweMessage({
      domain: new URL(this.url).host,
      address,
      statement: this.statement,
      uri: `${this.url}/sdk/register`,
      version: '1',
      chainId: 1,
      nonce: 'abcdefgh12345678',
      issuedAt: inSeconds(0),
      expirationTime: inSeconds(120),
      requestId: id,
    }).prepareMessage();
  }
}

/** RFC 3339 in whole seconds. */
const inSeconds = (seconds: number): string =>
  new Date(Date.now() + seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
