import { randomBytes } from 'node:crypto';
import { checksumAddress } from '../../../../sdk/identity/identity.js';
import type { Verdict } from '../../http/gate.js';
import { jsonAnswer, plainAnswer } from '../../http/local-answer.js';
import type { CookieKind } from '../sealed-cookies.js';
import { recoverSigner } from './recover-signer.js';
import type { LoginMethod, LoginRequest } from './login-method.js';
import { walletScript } from './wallet-script.js';

const login: CookieKind = { name: 'login', seconds: 300 };
const maxBodyBytes = 4_096;
/** Spent challenges are remembered until they expire. */
const maxSpent = 10_000;

/** Signing in with an Ethereum wallet: EIP-4361 messages, EIP-191 signatures. */
export class WalletLogin implements LoginMethod {
  readonly html =
    '<p><button type="button" id="wallet">Sign in with a wallet</button></p><p id="wallet-status" role="status"></p>';
  readonly script = walletScript;
  readonly #allowed: ReadonlySet<string>;
  readonly #spent = new Map<string, number>();

  readonly rules: string;

  /** @throws UsageError when one is not an address */
  constructor(wallets: readonly string[]) {
    this.#allowed = new Set(wallets.map(checksumAddress));
    this.rules = JSON.stringify([...this.#allowed].sort());
  }

  /** @see LoginMethod */
  handle(request: LoginRequest): Verdict | Promise<Verdict> | undefined {
    if (request.request.method !== 'POST') return undefined;
    const { path } = request;
    if (path !== 'wallet/challenge' && path !== 'wallet/login') return undefined;
    return {
      body: {
        most: maxBodyBytes,
        decide: (body) => (path === 'wallet/challenge' ? this.#challenge(request, body) : this.#login(request, body)),
      },
    };
  }

  async #challenge({ origin, hostname, cookies }: LoginRequest, body: Buffer): Promise<Verdict> {
    const address = checked(textOf(body, 'address'));
    // Others would sign for nothing.
    if (address === undefined || !this.#allowed.has(address)) return { answer: notAllowed };
    // Loaded once somebody signs in.
    const { generateNonce, SiweMessage } = await import('siwe');
    const now = Date.now();
    const message = new SiweMessage({
      domain: new URL(origin).host,
      address,
      statement: 'Sign in to the service behind this name.',
      uri: `${origin}/.portal/wallet/login`,
      version: '1',
      chainId: 1,
      nonce: generateNonce(),
      issuedAt: new Date(now).toISOString(),
      expirationTime: new Date(now + login.seconds * 1000).toISOString(),
      requestId: randomBytes(16).toString('hex'),
    }).prepareMessage();
    const cookie = await cookies.seal(login, hostname, { message, address });
    return { answer: jsonAnswer(200, { message }, { fields: [cookie] }) };
  }

  async #login({ hostname, cookies, request, to, admit }: LoginRequest, body: Buffer): Promise<Verdict> {
    const begun = await cookies.open(login, hostname, request.fields);
    const { message, address } = (begun ?? {}) as Record<string, string | undefined>;
    const signature = textOf(body, 'signature');
    if (message === undefined || address === undefined || signature === undefined) return { answer: expired };
    const signer = recoverSigner(message, signature);
    if (signer !== address || !this.#allowed.has(address)) return { answer: notAllowed };
    if (!this.#spend(message, (begun?.exp ?? 0) * 1000)) return { answer: expired };
    return await admit({ user: address }, to, true);
  }

  /** @returns whether it was not spent before */
  #spend(message: string, expiresAt: number): boolean {
    const now = Date.now();
    for (const [each, until] of this.#spent) if (until < now) this.#spent.delete(each);
    if (this.#spent.has(message) || this.#spent.size >= maxSpent) return false;
    this.#spent.set(message, expiresAt);
    return true;
  }
}

const notAllowed = plainAnswer(403, 'The owner of this name does not let this wallet in.\n');
const expired = plainAnswer(400, 'The sign-in took too long, or was used before. Try again.\n');

function checked(address: string | undefined): string | undefined {
  try {
    return address === undefined ? undefined : checksumAddress(address);
  } catch {
    return undefined;
  }
}

/** @returns a text of a JSON object */
function textOf(body: Buffer, key: string): string | undefined {
  try {
    const value = (JSON.parse(body.toString()) as Record<string, unknown> | null)?.[key];
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
