import type { Answerer } from './routes.js';

/** Enough of a body to recognise it. */
const maxLookedAt = 8_192;

/** How development servers answer requests whose Host or Origin is not their own. */
const refusals: { status: number; text: RegExp; what: string }[] = [
  { status: 403, text: /Blocked request\. This host \(/, what: 'Vite refuses the public host name' },
  { status: 403, text: /Invalid Host(?:\/Origin)? header/, what: 'webpack-dev-server refuses the public host name' },
  { status: 400, text: /DisallowedHost|Invalid HTTP_HOST header/, what: 'Django refuses the public host name' },
  { status: 403, text: /CSRF verification failed/, what: 'Django refuses forms of the public origin' },
  { status: 403, text: /Blocked hosts?: /, what: 'Rails refuses the public host name' },
  { status: 403, text: /Cross Origin|not allowed by Access-Control/i, what: 'the service refuses the public origin' },
  {
    status: 403,
    text: /Invalid Server Actions request|Unauthorized.*allowedDevOrigins/,
    what: 'Next.js refuses the public origin',
  },
];

/** Recognises services that refuse the public name, for which one option is missing. */
export class Refusals {
  readonly #told = new Set<Answerer>();

  /** @param tell is called once a service */
  constructor(private readonly tell: (to: Answerer, what: string) => void) {}

  /** Whether the body of such a response is worth a look. */
  concerns(to: Answerer, status: number): boolean {
    return (status === 403 || status === 400) && !this.#told.has(to);
  }

  /** @param data the beginning of the body @param isUpgrade a WebSocket was asked for */
  look(to: Answerer, status: number, data: Buffer, isUpgrade: boolean): void {
    const text = data.toString('latin1', 0, maxLookedAt);
    const found = refusals.find((each) => each.status === status && each.text.test(text));
    const what =
      found?.what ?? (isUpgrade && status === 403 ? 'the service refuses WebSockets of the public origin' : '');
    if (what === '' || this.#told.has(to)) return;
    this.#told.add(to);
    this.tell(to, what);
  }
}
