import { duplexPair } from 'node:stream';
import { background } from '../../util/boundary.js';
import type { HttpForwarder } from '../services/http/http-forwarder.js';
import { type Field, field, fieldName } from '../services/http/message/fields.js';
import type { RequestFacts } from '../services/http/forwarded-headers.js';
import { type RequestHead, writeHead } from '../services/http/message/message-head.js';
import type { Recorder } from './recorder.js';

/** What is different when a request is sent again. */
export interface Changes {
  method?: unknown;
  target?: unknown;
  /** Pairs of name and value, in place of all fields. */
  fields?: unknown;
  /** Text, in place of the body. */
  body?: unknown;
}

/** How long the response may take. */
const replayTimeoutMs = 120_000;

/**
 * Sends a recorded request again, as the visitor sent it, on a way past the gate.
 * @throws Error that says why it cannot
 */
export function replay(
  recorder: Recorder,
  forwarder: HttpForwarder,
  id: number,
  changes: Changes,
  signal: AbortSignal,
): void {
  const recorded = recorder.find(id);
  if (!recorded) throw new Error('this request is no longer kept');
  const { request, requestBody, address, hostname, added } = recorded;
  if (changes.body === undefined && requestBody.kept < requestBody.length)
    throw new Error('only the beginning of the body was kept: give another one');
  if (request.options.includes('upgrade')) throw new Error('a WebSocket cannot be repeated');
  const body =
    changes.body === undefined ? Buffer.concat(requestBody.pieces) : Buffer.from(textOf(changes.body, 'body'));
  const method = changes.method === undefined ? request.method : textOf(changes.method, 'method');
  const target = changes.target === undefined ? request.target : asBytes(textOf(changes.target, 'target'));
  if (!/^[A-Z]{1,32}$/.test(method)) throw new Error('the method must be upper-case letters');
  if (!/^\/[^\0-\x20\x7f]*$/.test(target)) throw new Error('the target must be a path without spaces');
  const given = changes.fields === undefined ? request.fields : fieldsOf(changes.fields, request.fields);
  const fields = given.filter(
    ({ key, isHopByHop }) => !isHopByHop && key !== 'content-length' && key !== 'expect' && key !== 'trailer',
  );
  if (body.length > 0) fields.push(field('Content-Length', String(body.length)));
  fields.push(field('Connection', 'close'));
  const [ours, theirs] = duplexPair();
  // boundary: cannot throw.
  ours.on('error', () => undefined).resume();
  // boundary: cannot throw.
  ours.once('end', () => ours.destroy()).once('close', () => theirs.destroy());
  const limit = AbortSignal.any([signal, AbortSignal.timeout(replayTimeoutMs)]);
  background('inspector request', async () => {
    const options = {
      gate: { check: () => ({ fields: [...added] }) },
      observer: {
        readsMessages: true,
        begin: (again: RequestHead, facts: RequestFacts) => recorder.begin(again, facts, id),
      },
    };
    await forwarder.serveAgain(theirs, { address, hostname }, options, limit);
    ours.destroy();
  });
  // boundary: cannot throw.
  limit.addEventListener('abort', () => ours.destroy(), { once: true });
  ours.write(writeHead(`${method} ${target} HTTP/1.1`, fields), 'latin1');
  ours.write(body);
}

/** A masked value stays what it was. */
function fieldsOf(given: unknown, before: readonly Field[]): Field[] {
  if (!Array.isArray(given)) throw new Error('the fields are no list of pairs');
  return given.map((pair: unknown) => {
    const [name, value] = Array.isArray(pair) ? (pair as unknown[]) : [];
    const known = typeof name === 'string' ? fieldName(name) : undefined;
    // eslint-disable-next-line no-control-regex -- what would begin another line
    if (!known || typeof value !== 'string' || /[\0-\x08\x0a-\x1f\x7f]/.test(value))
      throw new Error(`not a valid header field: ${JSON.stringify(name)}`);
    const masked = value.startsWith('•••') ? before.find(({ key }) => key === known.key) : undefined;
    return masked ?? field(known.name, asBytes(value));
  });
}

function textOf(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new Error(`the ${what} is no text`);
  return value;
}

/** The UTF-8 bytes of a text, each a character. */
function asBytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}
