import type { Response } from 'express';
import { getAddress } from 'ethers/address';
import { ApiError, type SuccessData, success } from '../../../contract/index.js';
import { EventStream } from '../../../http-api/event-stream.js';
import { guard } from '../../../util/boundary.js';
import { ConcurrencyLimiter } from '../../../util/concurrency-limiter.js';
import { withoutUndefined } from '../../../util/without-undefined.js';
import type { WrittenEntry } from '../../audit/read-audit.js';
import { adminSessionTtlMs, sessionId } from '../../auth/admin-sessions.js';
import type { CertificateSource } from '../../certs/certificate-source.js';
import type { DiscoveryReport } from '../../discovery/discovery.js';
import { type Activity, type Sample, sampleIntervalMs } from '../../metrics/activity.js';
import type { OverlayPart } from '../../overlay/overlay.js';
import type { AdminSessionRecord, NumberedEntry } from '../../store/governance-store.js';
import type { Handlers } from '../app.js';
import { admitted } from '../middleware/admin-guard.js';
import type { AdminParts } from './admin.js';
import { changesOf, identityIn } from './admin-calls.js';
import { AdminLists } from './admin-lists.js';
import { portSettings } from './admin-snapshot.js';
import { BuiltFiles } from './built-files.js';
import { rfc3339 } from './sdk.js';
import { immutable } from './sending.js';

/** Event streams of one wallet, and of all. */
const maxStreamsPerWallet = 16;
const maxStreams = 128;
/** Decisions that one stream tells of in a second; of more it tells that there were more. */
const maxToldAtOnce = 20;
const tellIntervalMs = 1_000;

/** As the contract has it. */
const maxRefusedPeers = 1_024;
const maxReasonLength = 256;

/** The page, put there by the build. */
const files = new URL('./console/', import.meta.url);

/** Own script, own style, own data. A wallet of the browser brings its icon as a data URL. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export interface ConsoleParts extends AdminParts {
  releaseVersion: string;
  activity: Activity;
  certificates: CertificateSource;
  /** Present when discovery is on. */
  discovery?: (() => DiscoveryReport) | undefined;
  /** Present when the relay is to be a part of the overlay. */
  overlay?: Pick<OverlayPart, 'isUp' | 'size' | 'view'> | undefined;
}

/** What the console in a browser shows, and the console itself. */
export function consoleHandlers(parts: ConsoleParts): Handlers {
  const { activity, adminAuth, audit, leases } = parts;
  const lists = new AdminLists(parts);
  const page = new BuiltFiles(files);
  const assets = new BuiltFiles(new URL('assets/', files));
  const streams = new ConcurrencyLimiter(maxStreamsPerWallet);
  let open = 0;

  return {
    getOverview(_request, response) {
      sessionOf(response);
      response.json(success(overview(parts)));
    },

    listLeases(request, response) {
      sessionOf(response);
      response.json(success(lists.leases(request)));
    },

    getLease(request, response) {
      sessionOf(response);
      const { name, address } = identityIn(request);
      for (const lease of leases.live()) {
        if (lease.identity.name !== name || lease.identity.address !== address) continue;
        const traffic = activity.leaseMinutes
          .of(lease.identity)
          .map(({ at, ...bytes }) => ({ at: rfc3339(at), ...bytes }));
        response.json(success({ ...lists.listed(lease), traffic } satisfies SuccessData<'getLease'>));
        return;
      }
      throw new ApiError('not_found', 'this identity has no lease now');
    },

    async listOverlayPeers(_request, response) {
      sessionOf(response);
      response.json(success(await overlayPeers(parts)));
    },

    listIdentities(request, response) {
      sessionOf(response);
      response.json(success(lists.identities(request)));
    },

    listBannedIps(request, response) {
      sessionOf(response);
      response.json(success(lists.bannedIps(request)));
    },

    async listAuditEntries(request, response) {
      sessionOf(response);
      const query = request.query as unknown as { before?: number; search?: string; limit: number };
      const { entries, nextBefore } = await audit.read(query);
      const data: SuccessData<'listAuditEntries'> = withoutUndefined({
        entries: entries.map(auditEntry),
        next_before: nextBefore,
      });
      response.json(success(data));
    },

    listAdminSessions(_request, response) {
      const own = admitted(response).sessions;
      sessionOf(response);
      const sessions = adminAuth.sessions.all().map((session) => ({
        id: sessionId(session),
        wallet_address: session.wallet,
        opened_at: new Date(session.expiresAt - adminSessionTtlMs).toISOString(),
        expires_at: new Date(session.expiresAt).toISOString(),
        is_own: own.includes(session),
      }));
      response.json(success({ sessions } satisfies SuccessData<'listAdminSessions'>));
    },

    endAdminSession: changesOf(audit)('endAdminSession', async (request, by) => {
      await adminAuth.endSession(String(request.params['id']), by);
      return {};
    }),

    followRelay(request, response) {
      const session = sessionOf(response);
      if (open >= maxStreams || !streams.add(session.wallet))
        throw new ApiError('rate_limited', 'too many event streams: close some pages', { retryAfterSeconds: 5 });
      open++;
      // boundary: cannot throw.
      response.once('close', () => {
        open--;
        streams.remove(session.wallet);
      });
      follow(parts, response, session, request.method === 'HEAD');
    },

    getConsole(request, response) {
      ownPage(response);
      page.send(request, response, 'index.html', 'no-cache');
    },

    getConsoleAsset(request, response) {
      ownPage(response);
      assets.send(request, response, String(request.params['file']), immutable);
    },
  };
}

/** @throws ApiError `unauthorized` when the caller is not logged in */
function sessionOf(response: Response): AdminSessionRecord {
  const [session] = admitted(response).sessions;
  if (!session) throw new ApiError('unauthorized', 'log in first');
  return session;
}

/** In place of the headers of the API. */
function ownPage(response: Response): void {
  response.set({
    'Content-Security-Policy': policy,
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
  });
}

function follow(
  { activity, audit, adminAuth }: ConsoleParts,
  response: Response,
  session: AdminSessionRecord,
  isHead: boolean,
): void {
  const stream = new EventStream(response, () => adminAuth.sessions.isValid(session));
  if (isHead) return;
  const leave = () => response.destroy();
  let [told, since] = [0, 0];
  const onSample = guard('operator event stream', (sample: Sample) => stream.send('sample', inContract(sample)), leave);
  const onEntries = guard(
    'operator event stream',
    (entries: NumberedEntry[]) => {
      if (Date.now() - since > tellIntervalMs) [told, since] = [0, Date.now()];
      for (const { at, ...entry } of entries.slice(0, maxToldAtOnce - told))
        stream.send('decision', auditEntry({ ...entry, time: new Date(at).toISOString() }));
      const before = told;
      told = Math.min(maxToldAtOnce, told + entries.length);
      if (before + entries.length > maxToldAtOnce) stream.send('missed', {});
    },
    leave,
  );
  activity.on('sample', onSample);
  audit.on('entries', onEntries);
  // boundary: cannot throw.
  response.once('close', () => {
    activity.off('sample', onSample);
    audit.off('entries', onEntries);
  });
}

function overview(parts: ConsoleParts): SuccessData<'getOverview'> {
  const { releaseVersion, rootHost, activity, certificates, discovery, overlay } = parts;
  const { settings } = parts.policy;
  const report = discovery?.();
  return withoutUndefined({
    version: releaseVersion,
    root_host: rootHost,
    started_at: new Date(activity.startedAt).toISOString(),
    sample_seconds: sampleIntervalMs / 1000,
    samples: activity.samples.map(inContract),
    outcomes: counts(activity.outcomes),
    errors: counts(activity.errors),
    certificate_expires_at: new Date(certificates.current.leaf.validTo).toISOString(),
    approval_mode: settings.approvalMode,
    landing_page_enabled: settings.landingPageEnabled,
    udp: portSettings(settings.udp),
    tcp_port: portSettings(settings.tcpPort),
    relays: report && { believed: report.believed.length, held: report.held },
    overlay: overlay && { is_up: overlay.isUp, peers: overlay.size },
  });
}

async function overlayPeers({ overlay }: ConsoleParts): Promise<SuccessData<'listOverlayPeers'>> {
  if (!overlay) return { is_up: false, peers: [], refused: [] };
  const { peers, refused } = await overlay.view();
  return {
    is_up: overlay.isUp,
    peers: peers.map(({ relay, counts: counted, fault, ...place }) =>
      withoutUndefined({
        relay: getAddress(relay),
        ...place,
        fault: fault?.slice(0, maxReasonLength),
        last_handshake_at: counted && counted.lastHandshakeAt > 0 ? rfc3339(counted.lastHandshakeAt) : undefined,
        received: counted?.received ?? 0,
        sent: counted?.sent ?? 0,
      }),
    ),
    refused: refused
      .slice(0, maxRefusedPeers)
      .map(({ relay, reason }) => ({ relay: getAddress(relay), reason: reason.slice(0, maxReasonLength) })),
  };
}

const counts = (of: ReadonlyMap<string, number>) => Array.from(of, ([what, count]) => ({ what, count }));

function inContract(sample: Sample): SuccessData<'getOverview'>['samples'][number] {
  return {
    at: new Date(sample.at).toISOString(),
    leases: sample.leases,
    ready: sample.ready,
    connections: sample.connections,
    public_connections: sample.publicConnections,
    udp_flows: sample.udpFlows,
    routed: sample.routed,
    refused: sample.refused,
    received: sample.received,
    sent: sample.sent,
    signatures: sample.signatures,
    signatures_refused: sample.signaturesRefused,
    requests: sample.requests,
    requests_refused: sample.requestsRefused,
    datagrams_dropped: sample.datagramsDropped,
    store_calls: sample.storeCalls,
    store_failures: sample.storeFailures,
    store_seconds: sample.storeSeconds,
  };
}

/** An entry of the file in the contract's form: what is not an object there is a limit. */
function auditEntry({ value, ...entry }: WrittenEntry): SuccessData<'listAuditEntries'>['entries'][number] {
  return withoutUndefined({
    seq: entry.seq,
    time: entry.time,
    wallet: entry.wallet,
    ip: entry.ip,
    action: entry.action,
    target: entry.target?.slice(0, 512),
    value:
      typeof value === 'object' && value !== null
        ? (value as Record<string, unknown>)
        : value === undefined || value === null
          ? undefined
          : { bps: value },
    result: entry.result,
    reason: entry.reason?.slice(0, 1024),
  });
}
