import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import {
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type ServiceError,
  credentials,
  makeGenericClientConstructor,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { certificateFiles } from '../support/certificates.js';
import { sharedRelay } from '../support/relay.js';
import { openTunnel } from '../support/tunnel.js';

// gRPC from end to end: a client and a service that are not ours, by HTTP/2 on both sides.

const relay = sharedRelay({ ownCertificates: true });

const bytes = {
  requestSerialize: (value: Buffer) => value,
  requestDeserialize: (value: Buffer) => value,
  responseSerialize: (value: Buffer) => value,
  responseDeserialize: (value: Buffer) => value,
};
const definition = {
  echo: { path: '/test.Echo/Echo', requestStream: false, responseStream: false, ...bytes },
  count: { path: '/test.Echo/Count', requestStream: false, responseStream: true, ...bytes },
  chat: { path: '/test.Echo/Chat', requestStream: true, responseStream: true, ...bytes },
} satisfies ServiceDefinition;

interface Echo extends Client {
  echo(
    message: Buffer,
    metadata: Metadata,
    done: (error: ServiceError | null, answer?: Buffer) => void,
  ): ClientUnaryCall;
  count(message: Buffer): ClientReadableStream<Buffer>;
  chat(): ClientDuplexStream<Buffer, Buffer>;
}

interface Place {
  client: Echo;
  /** Calls that were cancelled, as the service sees it. */
  cancelled: Promise<void>;
}

async function setUp(t: TestContext): Promise<Place> {
  const server = new Server();
  let cancel: () => void;
  const cancelled = new Promise<void>((resolve) => (cancel = resolve));
  server.addService(definition, {
    echo(call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) {
      if (call.request.toString() === 'missing')
        return answer({ code: status.NOT_FOUND, details: 'there is no “missing”', metadata: new Metadata() });
      const trailers = new Metadata();
      trailers.set('x-trailer', String(call.metadata.get('x-asked')[0]));
      answer(null, call.request, trailers);
    },
    count(call: ServerWritableStream<Buffer, Buffer>) {
      for (let number = 0; number < 1_000; number++) call.write(Buffer.from(String(number)));
      call.end();
    },
    chat(call: ServerDuplexStream<Buffer, Buffer>) {
      call.on('cancelled', () => cancel());
      call.on('data', (message: Buffer) => call.write(Buffer.from(message.toString().toUpperCase())));
      call.on('end', () => call.end());
      call.on('error', () => {});
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  t.after(() => server.forceShutdown());
  const name = `grpc-${port}`;
  const hostname = `${name}.${relay.rootHost}`;
  const { certFile, keyFile, certPem, remove } = await certificateFiles(hostname);
  t.after(remove);
  await openTunnel(t, relay, `h2c://127.0.0.1:${port}`, { name, ownCertificate: { cert: certFile, key: keyFile } });
  const EchoClient = makeGenericClientConstructor(definition, 'Echo');
  const client = new EchoClient(`127.0.0.1:${relay.publicPort}`, credentials.createSsl(Buffer.from(certPem)), {
    'grpc.ssl_target_name_override': hostname,
    'grpc.default_authority': hostname,
  }) as unknown as Echo;
  t.after(() => client.close());
  return { client, cancelled };
}

test('a unary call is answered, with metadata, trailers and messages of 3 MB', async (t) => {
  const { client } = await setUp(t);
  const metadata = new Metadata();
  metadata.set('x-asked', 'yes');
  const message = Buffer.alloc(3_000_000, 'a');
  const [answer, trailer] = await new Promise<[Buffer | undefined, unknown]>((resolve, reject) => {
    let got: Buffer | undefined;
    const call = client.echo(message, metadata, (error, value) => {
      if (error) reject(error);
      got = value;
    });
    call.on('status', ({ metadata: trailers }) => resolve([got, trailers.get('x-trailer')[0]]));
  });
  assert.ok(answer?.equals(message));
  assert.equal(trailer, 'yes');
});

test('an error is told by its status, although it has no message', async (t) => {
  const { client } = await setUp(t);
  const error = await new Promise<ServiceError | null>((resolve) =>
    client.echo(Buffer.from('missing'), new Metadata(), resolve),
  );
  assert.deepEqual([error?.code, error?.details], [status.NOT_FOUND, 'there is no “missing”']);
});

test('a stream of messages comes whole and in order', async (t) => {
  const { client } = await setUp(t);
  const numbers: number[] = [];
  for await (const message of client.count(Buffer.alloc(0))) numbers.push(Number(message));
  assert.deepEqual(
    numbers,
    Array.from({ length: 1_000 }, (_, number) => number),
  );
});

test('a bidirectional stream is answered message by message, and its end is seen', async (t) => {
  const { client } = await setUp(t);
  const call = client.chat();
  for (const word of ['one', 'two', 'three']) {
    call.write(Buffer.from(word));
    assert.equal(String((await once(call, 'data'))[0]), word.toUpperCase());
  }
  call.end();
  const [{ code }] = (await once(call.resume(), 'status')) as [{ code: number }];
  assert.equal(code, status.OK);
});

test('a call that its client cancels is cancelled at the service', async (t) => {
  const { client, cancelled } = await setUp(t);
  const call = client.chat();
  call.on('error', () => {});
  call.write(Buffer.from('one'));
  await once(call, 'data');
  call.cancel();
  await cancelled;
});
