import { createHash } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { type ExplainedError, explainedErrors, type Retry } from '../../../contract/index.js';
import { Html, html } from '../../landing/html.js';

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { margin: 0 auto; max-width: 46rem; padding: 1rem }
section { border-top: 1px solid color-mix(in srgb, currentcolor 25%, transparent); padding-top: .5rem }
section:target { outline: 2px solid Highlight; outline-offset: .5rem }
dt { font-weight: 600 }
dd { margin: 0 0 .5rem }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere }
nav { columns: 14rem }
`;
const styleHash = createHash('sha256').update(style).digest('base64');

/** No script, and this style alone. */
export const errorPagePolicy = [
  "default-src 'none'",
  `style-src 'sha256-${styleHash}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const retries: Record<Retry, string> = {
  never: 'No: the same request fails again.',
  after_delay: 'Yes: the same request may succeed later.',
  reauthenticate: 'With a new credential, once.',
  new_connection: 'Once, on a new connection.',
};

function section({
  code,
  status,
  otherStatuses,
  meaning,
  retry,
  retryAfterSeconds,
  action,
  operations,
}: ExplainedError): Html {
  const statuses = [status, ...(otherStatuses ?? [])].map((each) => `${each} ${STATUS_CODES[each]}`).join(', ');
  const wait =
    retryAfterSeconds === undefined
      ? ''
      : ` Without Retry-After, wait ${retryAfterSeconds} s, doubled at each failure.`;
  return html`<section id="${code}">
    <h2><code>${code}</code></h2>
    <dl>
      <dt>Cause</dt>
      <dd>${prose(meaning)}</dd>
      <dt>What to do</dt>
      <dd>${prose(action)}</dd>
      <dt>Does another try help?</dt>
      <dd>${retries[retry]}${wait}</dd>
      <dt>HTTP status</dt>
      <dd>${statuses}</dd>
      <dt>Operations</dt>
      <dd>${operations.map((operation) => html`<code>${operation}</code> `)}</dd>
    </dl>
  </section>`;
}

/** Text of the contract, whose backticks enclose code. */
function prose(text: string): Html[] {
  return text.split('`').map((part, index) => (index % 2 === 0 ? html`${part}` : html`<code>${part}</code>`));
}

/** Each code with its cause, and what to do about it. */
export function errorPage(): string {
  const errors = explainedErrors();
  return html`<!doctype html>
    <html lang="en">
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>Error codes</title>
      ${new Html(`<style>${style}</style>`)}
      <h1>Error codes</h1>
      <p>
        A refusal has the form <code>{"ok": false, "error": {"code": …, "message": …}}</code>. Programs go by the code;
        the message is for people. See also <a href="/docs">the reference</a> and <a href="/docs/start">the guides</a>.
      </p>
      <nav>
        ${errors.map(
          ({ code }) =>
            html`<a href="#${code}"><code>${code}</code></a
              ><br />`,
        )}
      </nav>
      ${errors.map(section)}
    </html> `.text;
}
