import { UsageError } from '../../sdk/calls/errors.js';
import { BytesService } from '../services/bytes-service.js';
import { DetectedService } from '../services/detected-service.js';
import { FolderAnswerer } from '../services/folder/folder-answerer.js';
import { FolderServer } from '../services/folder/folder-server.js';
import { checkHostHeader } from '../services/http/forwarded-headers.js';
import { observeTogether, type RequestReport, RequestReports } from '../services/http/request-reports.js';
import { HttpForwarder } from '../services/http/http-forwarder.js';
import { Refusals } from '../services/http/refusals.js';
import { type Answerer, parseRoute, type Route, Routes } from '../services/http/routes.js';
import { Http2Answerer } from '../services/http2/http2-answerer.js';
import { Http2Upstream } from '../services/http2/http2-upstream.js';
import type { LocalService } from '../services/local-service.js';
import { InspectedService, type InspectOptions } from '../inspect/inspected-service.js';
import { Recorder } from '../inspect/recorder.js';
import { type AccessOptions, accessGate } from './access-options.js';
import { parseTarget, type Target } from '../services/upstream/target.js';
import { Upstream } from '../services/upstream/upstream.js';

/** How connections and requests reach the service. */
export interface WebOptions extends AccessOptions {
  /** Begin each connection to the service with a PROXY protocol v2 header that holds the visitor's address. */
  proxyProtocol?: boolean | undefined;
  /**
   * Forward requests, with X-Forwarded-For, -Host and -Proto set and those of the visitor dropped; false to forward bytes
   * as they are. By default requests for `http://` and `https://` targets and folders, and when an option needs it; any
   * other service is asked by a HEAD request, and gets requests if it answers in HTTP.
   */
  http?: boolean | undefined;
  /**
   * Other services for parts of the paths, such as `/api=http://localhost:3001`: the longest prefix counts. Each target
   * is one that `target` can be, except that a port means HTTP.
   */
  routes?: string[] | undefined;
  /** Take a route's prefix off the path; it is then sent as `X-Forwarded-Prefix`. */
  stripPrefix?: boolean | undefined;
  /** Folders: a path without a file gets the folder's `index.html`, as single-page apps need it. */
  spa?: boolean | undefined;
  /** Folders: list what is in one without `index.html`. */
  listing?: boolean | undefined;
  /** PEM certificates to trust for `https://` targets instead of the well-known ones. */
  upstreamCa?: string | Buffer | undefined;
  /** Accept any certificate of `https://` targets. */
  upstreamInsecure?: boolean | undefined;
  /**
   * Keep the last requests in memory, and show them on a page of this machine, from where they can be sent again. Its
   * address, with a token, is told by the status `inspecting`.
   */
  inspect?: boolean | InspectOptions | undefined;
  /** Called when a request is over. Requests of services that get bytes are not seen. */
  onRequest?: ((report: RequestReport) => void) | undefined;
  /** The Host header that the service receives, for services that check it; `rewrite` for the target's own. */
  hostHeader?: string | undefined;
}

/** Whether an option was given that works on requests only. */
export function needsHttp({ http, hostHeader, routes = [], ...access }: WebOptions): boolean {
  const { basicAuth, oidc, wallets, webhooks } = access;
  const isGuarded = [basicAuth, oidc, wallets, webhooks].some((option) => option !== undefined);
  return http === true || hostHeader !== undefined || routes.length > 0 || isGuarded || !!access.inspect;
}

/**
 * What serves the public HTTPS name.
 * @throws UsageError when a target is invalid, or the options contradict each other
 */
export function webService(
  options: WebOptions & { proxy?: string | URL | false | undefined },
  given: string | number,
): LocalService {
  const { http, hostHeader, stripPrefix, proxyProtocol } = options;
  const target = parseTarget(given);
  if (http === false && (needsHttp(options) || speaksHttp(target)))
    throw new UsageError(
      'a folder, an https:// target, routes, a Host header, sign-in and inspecting need requests, not raw bytes',
    );
  const isHttp = http ?? (needsHttp(options) || speaksHttp(target) || isHttpUrl(target) ? true : undefined);
  const others = (options.routes ?? []).map(parseRoute);
  checkPrefixes(others.map(({ prefix }) => prefix));
  const reports = options.onRequest === undefined ? [] : [new RequestReports(options.onRequest)];
  const refusals = new Refusals((to, what) => {
    upstreamOf(to)?.emit('refuses', what);
  });
  if (isHttp !== true && !('folder' in target)) {
    checkFolderOptions(options, []);
    checkTlsOptions(options, []);
    const upstream = new Upstream(target, { proxyProtocol });
    const bytes = new BytesService(upstream);
    if (isHttp === false) return bytes;
    const routes = new Routes([{ prefix: '/', to: upstream }]);
    return new DetectedService(upstream, {
      http: new HttpForwarder([upstream], { routes, refusals, observer: reports[0] }),
      bytes,
    });
  }
  const routes: Route[] = [
    { prefix: '/', to: answererOf(target, options) },
    ...others.map((route) => ({ prefix: route.prefix, to: answererOf(parseTarget(route.target), options) })),
  ];
  checkFolderOptions(options, routes);
  checkTlsOptions(options, routes);
  const upstreams = routes.flatMap(({ to }) => upstreamOf(to) ?? []);
  const host = hostHeader === undefined || hostHeader === 'rewrite' ? hostHeader : checkHostHeader(hostHeader);
  const gate = accessGate(options);
  const forwarding = {
    routes: new Routes(routes, stripPrefix),
    hostHeader: host,
    gate,
    refusals: host === undefined ? refusals : undefined,
  };
  if (!options.inspect) return new HttpForwarder(upstreams, { ...forwarding, observer: reports[0] });
  const recorder = new Recorder();
  const observer = observeTogether([recorder, ...reports]);
  const forwarder = new HttpForwarder(upstreams, { ...forwarding, observer });
  return new InspectedService(forwarder, recorder, options.inspect === true ? {} : options.inspect);
}

/** Bytes alone make no sense for these. */
function speaksHttp(target: Target): boolean {
  return 'folder' in target || ('host' in target && (target.scheme === 'https' || target.isHttp2 === true));
}

function isHttpUrl(target: Target): boolean {
  return 'host' in target && target.scheme === 'http';
}

function answererOf(target: Target, options: WebOptions): Answerer {
  const { proxyProtocol, spa, listing, upstreamCa: ca, upstreamInsecure: insecure } = options;
  if ('folder' in target) return new FolderAnswerer(new FolderServer(target.folder, { spa, listing }));
  const tls = { ca, insecure };
  if (!('host' in target) || !target.isHttp2) return new Upstream(target, { proxyProtocol, tls });
  if (proxyProtocol)
    throw new UsageError('visitors share the connection to an HTTP/2 target, so it cannot begin with a PROXY header');
  return new Http2Answerer(new Http2Upstream(target, { tls }));
}

function upstreamOf(to: Answerer): Upstream | undefined {
  if (to instanceof Http2Answerer) return to.upstream;
  return to instanceof Upstream ? to : undefined;
}

function checkPrefixes(prefixes: string[]): void {
  const twice = prefixes.find((prefix, index) => prefix === '/' || prefixes.indexOf(prefix) !== index);
  if (twice === '/') throw new UsageError('the route / is the target itself: give the target instead');
  if (twice !== undefined) throw new UsageError(`the route ${twice} is given twice`);
}

function checkFolderOptions({ spa, listing }: WebOptions, routes: Route[]): void {
  const hasFolder = routes.some(({ to }) => to instanceof FolderAnswerer);
  if (!hasFolder && (spa || listing))
    throw new UsageError('no folder is exposed: a single-page app and a listing need one');
}

function checkTlsOptions({ upstreamCa, upstreamInsecure }: WebOptions, routes: Route[]): void {
  const hasTls = routes.some(({ to }) => upstreamOf(to)?.origin.scheme === 'https');
  if (!hasTls && (upstreamCa !== undefined || upstreamInsecure))
    throw new UsageError('no https:// target is exposed: certificates of services need one');
}
