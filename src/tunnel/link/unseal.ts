import type { Duplex } from 'node:stream';
import { readPrefix } from '../../net/read-prefix.js';
import { openHello } from '../../streams/sealed-hello.js';

/** They follow the opening at once. */
const helloTimeoutMs = 10_000;

/** Opens a visitor's first bytes, and puts them back. @throws Error when they were not sealed with this key, or do not come */
export async function unseal(session: Duplex, key: Buffer): Promise<void> {
  let bytes: Buffer = Buffer.alloc(0);
  const take = (chunk: Buffer) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    return openHello(key, bytes);
  };
  const { hello, length } = await readPrefix(session, take, { timeoutMs: helloTimeoutMs });
  session.unshift(Buffer.concat([hello, bytes.subarray(length)]));
}
