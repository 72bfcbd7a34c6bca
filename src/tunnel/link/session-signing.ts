import { errorOfAnswer } from '../../sdk/calls/answers.js';
import { withDeadline } from '../../sdk/calls/deadline.js';
import { AnswerError, NetworkError } from '../../sdk/calls/errors.js';
import {
  encodeSigningRequest,
  parseSigningResponse,
  type SigningRequest,
  type SigningResponse,
} from '../../protocol/session-signing.js';
import type { FramedChannel } from '../../streams/framed-channel.js';
import { signTimeoutMs } from './keyless.js';

const maxSignatureBytes = 1_024;

/** Requests the relay's signature inside the claimed session (docs/protocol.md, Signing inside a session). */
export class SessionSigning {
  #channel: FramedChannel | undefined;
  #settle: { resolve(message: Buffer): void; reject(error: Error): void } | undefined;

  /** @internal The channel's connection; `onMessage` receives its signing message. */
  attach(channel: FramedChannel): void {
    this.#channel = channel;
    channel.once('close', () => this.#settle?.reject(lost()));
  }

  readonly onMessage = (message: Buffer): void => {
    if (this.#settle) this.#settle.resolve(message);
    else this.#channel?.lose(new Error('the relay sent a signature that was not requested'));
  };

  /**
   * Requests the one signature of the connection.
   * @returns the `signature` of CertificateVerify
   * @throws ApiError as `signHandshake`; NetworkError; AnswerError; the signal's reason when aborted
   */
  async sign(request: SigningRequest, signal: AbortSignal): Promise<Buffer> {
    const expired = () => new NetworkError('timeout', `the relay did not sign within ${signTimeoutMs / 1000} s`);
    if (this.#channel?.destroyed !== false) throw lost();
    const message = await withDeadline(signTimeoutMs, signal, expired, () => {
      const answered = new Promise<Buffer>((resolve, reject) => (this.#settle = { resolve, reject }));
      this.#channel?.sendSigning(encodeSigningRequest(request));
      return answered;
    });
    return signatureOf(message);
  }
}

const lost = () => new NetworkError('unreachable', 'the session was lost before the relay had signed');

function signatureOf(message: Buffer): Buffer {
  let response: SigningResponse;
  try {
    response = parseSigningResponse(message);
  } catch (cause) {
    throw new AnswerError((cause as Error).message, undefined, { cause });
  }
  const { status, body } = response;
  if (status !== 200) throw errorOfAnswer(status, parseJson(body), undefined);
  if (body.length === 0 || body.length > maxSignatureBytes)
    throw new AnswerError(`a signature of ${body.length} bytes`, status);
  return body;
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString()) as unknown;
  } catch {
    return undefined;
  }
}
