import { BodyReader, requestFraming, responseFraming } from '../../src/tunnel/services/http/message/message-body.js';
import {
  HeadReader,
  parseRequestHead,
  parseResponseHead,
} from '../../src/tunnel/services/http/message/message-head.js';

/** Parses a message that comes in pieces, with what follows it. */
export function parseMessage(pieces: Buffer[], kind: 'request' | 'response') {
  const heads = new HeadReader();
  let body: BodyReader | undefined;
  let head: unknown;
  const data: Buffer[] = [];
  let left = '';
  for (const piece of pieces) {
    let rest = piece;
    if (!body) {
      const found = heads.read(rest);
      if (!found) continue;
      rest = found.rest;
      if (kind === 'request') {
        const request = parseRequestHead(found.head);
        head = request;
        body = new BodyReader(requestFraming(request));
      } else {
        const response = parseResponseHead(found.head);
        head = response;
        body = new BodyReader(responseFraming(response, 'GET'));
      }
    }
    if (!body.isOver) {
      const read = body.read(rest);
      data.push(read.data);
      rest = read.rest;
    }
    left += rest.toString('latin1');
  }
  return { head, body: Buffer.concat(data).toString('latin1'), over: body?.isOver, trailers: body?.trailers, left };
}
