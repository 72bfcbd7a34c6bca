import type { RequestFacts } from './forwarded-headers.js';
import type { LocalAnswer } from './local-answer.js';
import type { Field } from './message/fields.js';
import type { RequestHead } from './message/message-head.js';

/** What is decided about a request before it is forwarded. Without `answer` and `body` it is forwarded. */
export interface Verdict {
  /** The request is answered so, and not forwarded. */
  answer?: LocalAnswer;
  /** The connection ends with the answer. */
  isLast?: boolean;
  /** Forwarded in place of the visitor's. */
  request?: RequestHead;
  /** Fields that the service gets in addition. */
  fields?: Field[];
  /** The body decides. */
  body?: BodyCheck;
}

export interface BodyCheck {
  /** Bytes; a larger body is answered 413. */
  most: number;
  decide(body: Buffer): Verdict | Promise<Verdict>;
  /** Called once, when the body is no longer held. */
  release?(): void;
}

/** Decides who may come in. */
export interface Gate {
  /** Called once, before there are visitors. */
  start?(context: GateContext): Promise<void>;
  check(request: RequestHead, facts: RequestFacts): Verdict | Promise<Verdict>;
}

export interface GateContext {
  /** The secret of this identity, 32 bytes: the same after a restart. */
  secret(): Promise<Buffer>;
}
