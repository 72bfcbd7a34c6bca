import { createHash } from 'node:crypto';
import { Html, html } from './html.js';
import { landingStyle } from './style.js';

/** A tenant's service as the page shows it. All fields but the hostname are the tenant's own text. */
export interface ListedService {
  hostname: string;
  /** The service is online. */
  online: boolean;
  description?: string | undefined;
  owner?: string | undefined;
  tags?: string[] | undefined;
}

export interface LandingView {
  rootHost: string;
  releaseVersion: string;
  /** The shell command that exposes a service through this relay. */
  exposeCommand: string;
  /** The URL of a hostname on the public port. */
  urlOf(hostname: string): string;
  services: ListedService[];
  /** Number of services that are not listed. */
  more: number;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64');

/**
 * No scripts, no fetches, no forms: the page is text, links and one style. Tenants' images are not shown, since their
 * hosts would learn who views this page.
 */
export const landingPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${sha256(landingStyle)}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Inserted as one piece: the hash covers every byte between the tags. */
const styleElement = new Html(`<style>${landingStyle}</style>`);

const mark =
  '<path d="M4 21V12a8 8 0 0 1 16 0v9M9 21v-9a3 3 0 0 1 6 0v9" fill="none" stroke="STROKE" stroke-width="2.2"/>';
const icon = `data:image/svg+xml,${encodeURIComponent(
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">${mark.replace('STROKE', '#3a4bd0')}</svg>`,
)}`;

/** The whole page. It has no script, and everything a tenant chose is escaped text. */
export function renderLandingPage(view: LandingView): string {
  const { rootHost, releaseVersion, exposeCommand } = view;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${rootHost}: a Portal relay</title>
        <link rel="icon" href="${icon}" />
        ${styleElement}
      </head>
      <body>
        <header>
          <svg viewBox="0 0 24 24" aria-hidden="true">${new Html(mark.replace('STROKE', 'currentColor'))}</svg>
          <h1>${rootHost}</h1>
          <p class="lead">
            A Portal relay: it puts a service that runs on your machine on a public HTTPS name, and passes the encrypted
            bytes on without reading them.
          </p>
        </header>
        <main>
          <section aria-labelledby="expose">
            <h2 id="expose">Expose a service of yours</h2>
            <p>With something listening on port 3000, and Portal installed:</p>
            <pre tabindex="0" aria-label="Command"><code>${exposeCommand}</code></pre>
            <p class="note">
              It prints the public address, such as <code>${view.urlOf(`name.${rootHost}`)}</code>. TLS ends on your
              machine. <code>--name shop</code> asks for a name, <code>--hide</code> keeps it off this page.
            </p>
          </section>
          <section aria-labelledby="services">
            <h2 id="services">Services here</h2>
            ${renderServices(view)}
          </section>
        </main>
        <footer>
          <p>Portal ${releaseVersion}</p>
        </footer>
      </body>
    </html> `.text;
}

function renderServices(view: LandingView): Html {
  if (view.services.length === 0) return html`<p class="note">None is listed at the moment.</p>`;
  const more = view.more === 0 ? undefined : html`<p class="note">And ${view.more} more.</p>`;
  return html`<p class="note">
      Run by the people who registered them, not by this relay; the words are theirs as well.
    </p>
    <ul class="services">
      ${view.services.map((service) => renderService(service, view.urlOf(service.hostname)))}
    </ul>
    ${more}`;
}

function renderService({ hostname, online, description, owner, tags = [] }: ListedService, url: string): Html {
  const state = online ? html`<span class="state online">online</span>` : html`<span class="state">away</span>`;
  return html`<li>
    <h3><a href="${url}" rel="noopener noreferrer nofollow ugc">${hostname}</a></h3>
    ${state} ${description ? html`<p><bdi>${description}</bdi></p>` : undefined}
    ${owner ? html`<p class="note">by <bdi>${owner}</bdi></p>` : undefined}
    ${
      tags.length > 0
        ? html`<ul class="tags" aria-label="Tags">
            ${tags.map((tag) => html`<li><bdi>${tag}</bdi></li>`)}
          </ul>`
        : undefined
    }
  </li> `;
}
