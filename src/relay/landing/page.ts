import { createHash } from 'node:crypto';
import type { DirectoryPage, DirectoryQuery } from './directory.js';
import type { CommandWish } from './expose-command.js';
import { Html, html } from './html.js';
import { landingScript } from './script.js';
import { landingStyle } from './style.js';

/** A tenant's service as the page shows it. All texts but the hostname are the tenant's own. */
export interface ListedService {
  hostname: string;
  /** The service is online. */
  online: boolean;
  /** This relay has a picture of it. */
  hasPicture: boolean;
  description?: string | undefined;
  owner?: string | undefined;
  tags?: string[] | undefined;
}

/** What the reader asks for, as the contract has it. */
export interface LandingQuery extends CommandWish, DirectoryQuery {}

export interface LandingView {
  rootHost: string;
  releaseVersion: string;
  /** The shell command that exposes a service through this relay. */
  command: string;
  /** The part of it that names this relay. */
  relayWords: string;
  /** The URL of a hostname on the public port. */
  urlOf(hostname: string): string;
  /** What tenants may have beside HTTPS names. */
  offers: { tcp: boolean; udp: boolean; domains: boolean; ownCertificates: boolean; paths: boolean };
  /** Connections now, and bytes a second. */
  load: { connections: number; bytesPerSecond: number };
  query: LandingQuery;
  counts: Omit<DirectoryPage, 'entries'>;
  services: ListedService[];
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64');

/**
 * One style and one script, both by their hash; pictures of services are the relay's own. Tenants' images are not shown, since their hosts
 * would learn who views this page.
 */
export const landingPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${sha256(landingStyle)}'`,
  `script-src 'sha256-${sha256(landingScript)}'`,
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** Inserted as one piece: the hash covers every byte between the tags. */
const styleElement = new Html(`<style>${landingStyle}</style>`);
const scriptElement = new Html(`<script>${landingScript}</script>`);

const mark =
  '<path d="M4 21V12a8 8 0 0 1 16 0v9M9 21v-9a3 3 0 0 1 6 0v9" fill="none" stroke="STROKE" stroke-width="2.2"/>';
const icon = `data:image/svg+xml,${encodeURIComponent(
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">${mark.replace('STROKE', '#3a4bd0')}</svg>`,
)}`;

/** The whole page. Everything a tenant chose, and everything that was searched for, is escaped text. */
export function renderLandingPage(view: LandingView): string {
  const { rootHost, releaseVersion } = view;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <meta
          name="description"
          content="Services behind the Portal relay ${rootHost}, and the command that puts your own there."
        />
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
          ${renderFacts(view)}
        </header>
        <main>
          ${renderBuilder(view)}
          <section aria-labelledby="services">
            <h2 id="services">Services here</h2>
            ${renderServices(view)}
          </section>
        </main>
        <footer>
          <p>Portal ${releaseVersion} · <a href="/docs/start">Documentation</a> · <a href="/docs">API</a></p>
        </footer>
        ${scriptElement}
      </body>
    </html> `.text;
}

/** What the relay offers, and how busy it is. */
function renderFacts({ offers, load, counts }: LandingView): Html {
  const offered = [
    'HTTPS names',
    offers.tcp && 'TCP ports',
    offers.udp && 'UDP ports',
    offers.domains && 'domains of your own',
    offers.ownCertificates && 'certificates of your own',
    offers.paths && 'paths through several relays',
  ].filter((each) => each !== false);
  return html`<dl class="facts">
    <div>
      <dt>Offers</dt>
      <dd>${offered.join(', ')}</dd>
    </div>
    <div>
      <dt>Now</dt>
      <dd>
        ${counts.online} of ${counts.total} listed services online, ${load.connections} connections,
        ${rate(load.bytesPerSecond)}
      </dd>
    </div>
  </dl>`;
}

function rate(bytes: number): string {
  if (bytes < 1_000) return `${Math.round(bytes)} B/s`;
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} KB/s`;
  return `${(bytes / 1_000_000).toFixed(1)} MB/s`;
}

const kinds = [
  ['web', 'A web service'],
  ['folder', 'A folder of files'],
  ['tcp', 'A TCP port'],
  ['udp', 'A UDP port'],
] as const;

function renderBuilder({ rootHost, urlOf, command, relayWords, query, offers }: LandingView): Html {
  const offered = kinds.filter(([kind]) => (kind !== 'tcp' || offers.tcp) && (kind !== 'udp' || offers.udp));
  return html`<section aria-labelledby="expose">
    <h2 id="expose">Expose a service of yours</h2>
    <form id="builder" action="#expose" data-relay="${relayWords}">
      <label>
        What
        <select name="kind">
          ${offered.map(
            ([kind, label]) =>
              html`<option value="${kind}" ${new Html(kind === query.kind ? 'selected' : '')}>${label}</option>`,
          )}
        </select>
      </label>
      <label>Port <input name="port" inputmode="numeric" pattern="[0-9]{1,5}" value="${query.port}" /></label>
      <label>
        Name <input name="name" maxlength="63" pattern="[A-Za-z0-9\\-]*" value="${query.name}" placeholder="any" />
      </label>
      <button>Show the command</button>
    </form>
    <pre tabindex="0" aria-label="Command"><code id="command">${command}</code></pre>
    <p class="note">
      It prints the public address, such as <code>${urlOf(`name.${rootHost}`)}</code>. TLS ends on your machine.
      <code>--hide</code> keeps it off this page. <a href="/docs/start">How to begin</a>.
    </p>
  </section>`;
}

function renderServices(view: LandingView): Html {
  const { query, counts, services } = view;
  if (counts.total === 0) return html`<p class="note">None is listed at the moment.</p>`;
  const found = query.q || query.tag ? html`<p class="note" role="status">${counts.matching} found.</p>` : undefined;
  return html`<form id="search" role="search" action="#services">
      <input
        type="search"
        name="q"
        maxlength="64"
        aria-label="Search services"
        placeholder="Search"
        value="${query.q}"
      />
      ${query.tag ? html`<input type="hidden" name="tag" value="${query.tag}" />` : undefined}
      <button>Search</button>
      ${query.tag ? html`<a href="${href({ q: query.q })}">Without tag <bdi>${query.tag}</bdi></a>` : undefined}
    </form>
    ${found}
    <p class="note">Run by the people who registered them, not by this relay; the words are theirs as well.</p>
    <ul class="services">
      ${services.map((service) => renderService(service, view))}
    </ul>
    ${renderPages(view)}`;
}

function renderPages({ query, counts: { pages } }: LandingView): Html | undefined {
  if (pages === 1) return undefined;
  const page = Math.min(query.page, pages);
  const link = (to: number, text: string, rel: string) =>
    html`<a rel="${rel}" href="${href({ ...query, page: to })}">${text}</a>`;
  return html`<nav aria-label="Pages of services">
    ${page > 1 ? link(page - 1, 'Previous', 'prev') : undefined} <span>Page ${page} of ${pages}</span>
    ${page < pages ? link(page + 1, 'Next', 'next') : undefined}
  </nav>`;
}

/** A link to another view of the services. */
function href({ q, tag, page = 1 }: { q?: string | undefined; tag?: string | undefined; page?: number }): string {
  const query = new URLSearchParams({ ...(q && { q }), ...(tag && { tag }), ...(page > 1 && { page: String(page) }) });
  return `/?${query.toString()}#services`;
}

function renderService(service: ListedService, { urlOf, query }: LandingView): Html {
  const { hostname, online, hasPicture, description, owner, tags = [] } = service;
  const state = online ? html`<span class="state online">online</span>` : html`<span class="state">away</span>`;
  return html`<li>
    ${
      hasPicture ? html`<img src="/thumbnail/${hostname}" alt="" loading="lazy" width="640" height="400" />` : undefined
    }
    <h3><a href="${urlOf(hostname)}" rel="noopener noreferrer nofollow ugc">${hostname}</a></h3>
    ${state} ${description ? html`<p><bdi>${description}</bdi></p>` : undefined}
    ${owner ? html`<p class="note">by <bdi>${owner}</bdi></p>` : undefined}
    ${
      tags.length > 0
        ? html`<ul class="tags" aria-label="Tags">
            ${tags.map(
              (tag) =>
                html`<li>
                  <a href="${href({ q: query.q, tag })}"><bdi>${tag}</bdi></a>
                </li>`,
            )}
          </ul>`
        : undefined
    }
  </li> `;
}
