import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { startServer } from '../support/processes.js';
import { parseScrape } from '../support/prometheus.js';
import { runProgram } from '../support/programs.js';
import { freePort, relayFor } from '../support/relay.js';
import { requireTool } from '../support/tools.js';
import { get, openTunnel, startHttpService, temporaryDirectory } from '../support/tunnel.js';
import { until } from '../support/until.js';

const documents = fileURLToPath(new URL('../../../docs/monitoring/', import.meta.url));
const rulesFile = join(documents, 'portal-alerts.yml');
const alerts = Array.from(readFileSync(rulesFile, 'utf8').matchAll(/^ +- alert: (\w+)$/gm), ([, name]) => name!);
interface Dashboard {
  panels: { title: string; targets: { expr: string }[] }[];
}
const dashboard = JSON.parse(readFileSync(join(documents, 'portal-dashboard.json'), 'utf8')) as Dashboard;

test('a real Prometheus takes the rules, and finds what rules and dashboard ask for on a relay', async (t) => {
  const [metricsPort, port, folder] = [await freePort(), await freePort(), temporaryDirectory(t)];
  const relay = await relayFor(t, {
    metricsPort,
    discovery: { bootstraps: [], ca: undefined, allowPrivate: true },
  });
  const service = await startHttpService(t, (_request, response) => response.end('hello'));
  const { hostname } = await openTunnel(t, relay, service.port, { probe: false });
  await get(relay, hostname);
  const config = join(folder, 'prometheus.yml');
  writeFileSync(
    config,
    `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [${JSON.stringify(rulesFile)}]
scrape_configs: [{ job_name: portal, static_configs: [{ targets: ['127.0.0.1:${metricsPort}'] }] }]
`,
  );
  const flags = ['--config.file', config, '--storage.tsdb.path', join(folder, 'data')];
  await startServer(
    t,
    await requireTool('prometheus'),
    [...flags, '--web.listen-address', `127.0.0.1:${port}`],
    'Server is ready',
  );
  const api = async <Data>(path: string): Promise<Data> => {
    const { body } = await request(`http://127.0.0.1:${port}/api/v1/${path}`);
    const answer = (await body.json()) as { status: string; error?: string; data: Data };
    assert.equal(answer.status, 'success', `${path}: ${answer.error}`);
    return answer.data;
  };
  const query = async (expr: string) =>
    (await api<{ result: unknown[] }>(`query?query=${encodeURIComponent(expr)}`)).result;
  await until(async () => (await query('up{job="portal"} == 1')).length === 1);
  // Two scrapes make a rate.
  await until(async () => (await query('count_over_time(up{job="portal"}[1m]) >= 2')).length === 1);

  interface Rule {
    name: string;
    query: string;
    health: string;
    lastError?: string;
  }
  const loaded = await until(async () => {
    const { groups } = await api<{ groups: { rules: Rule[] }[] }>('rules');
    const all = groups.flatMap((group) => group.rules);
    return all.length > 0 && all.every(({ health }) => health !== 'unknown') ? all : undefined;
  });
  assert.deepEqual(
    loaded.map(({ name, health, lastError }) => [name, health, lastError]),
    alerts.map((alert) => [alert, 'ok', undefined]),
  );
  const { body } = await request(`http://127.0.0.1:${metricsPort}/metrics`);
  const { types } = parseScrape(await body.text());
  const isThere = (name: string) => types.has(name) || types.has(name.replace(/_bucket$/, ''));
  const optional = (name: string) => name.startsWith('portal_overlay_');
  const asked = [
    ...loaded.map(({ name, query: expr }) => ({ where: name, expr })),
    ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ where: title, expr }))),
  ];
  assert.ok(asked.length > 35);
  for (const { where, expr } of asked) {
    const names = expr.match(/\b(?:portal|process|nodejs)_[a-z0-9_]+/g) ?? [];
    assert.ok(names.length > 0 || expr.startsWith('up'), where);
    for (const name of names) assert.ok(optional(name) || isThere(name), `${where}: there is no metric ${name}`);
    await query(expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'));
  }
  // What it shows of this relay: its leases, and a certificate that has not ended.
  assert.ok((await query('portal_leases == 1')).length === 1);
  assert.ok((await query('portal_certificate_expiry_timestamp_seconds - time() > 0')).length === 1);
});

/** What makes an alert fire, as promtool writes series, and how long it takes. */
const causes: Record<string, { series: Record<string, string>; at: string }> = {
  PortalRelayDown: { series: { 'up{job="portal", instance="a"}': '1x5 0x20' }, at: '10m' },
  PortalCertificateEnds: {
    series: { 'portal_certificate_expiry_timestamp_seconds{instance="a"}': '864000x120' },
    at: '70m',
  },
  PortalCertificateEndsSoon: {
    series: { 'portal_certificate_expiry_timestamp_seconds{instance="a"}': '86400x10' },
    at: '5m',
  },
  PortalStoreFails: {
    series: { 'portal_store_failures_total{instance="a", call="putLease"}': '0+3x30' },
    at: '15m',
  },
  PortalHandlerFault: {
    series: { 'portal_handler_faults_total{instance="a", boundary="api request"}': '0x5 1x30' },
    at: '10m',
  },
  PortalFileDescriptorsRunOut: {
    series: {
      'process_open_fds{job="portal", instance="a"}': '900x30',
      'process_max_fds{job="portal", instance="a"}': '1000x30',
    },
    at: '10m',
  },
  PortalVisitorsWithoutSession: {
    series: {
      'portal_public_connections_total{instance="a", outcome="routed"}': '0+60x60',
      'portal_public_connections_total{instance="a", outcome="no_session"}': '0+60x60',
    },
    at: '30m',
  },
  PortalLeasesLost: { series: { 'portal_leases{instance="a"}': '100x30 40x30' }, at: '40m' },
  PortalHandshakesNotSigned: {
    series: {
      'portal_signatures_total{instance="a", mode="transcript", result="ok"}': '0+60x60',
      'portal_signatures_total{instance="a", mode="transcript", result="unauthorized"}': '0+60x60',
    },
    at: '30m',
  },
  PortalEventLoopSlow: {
    series: { 'nodejs_eventloop_lag_p99_seconds{job="portal", instance="a"}': '2x30' },
    at: '15m',
  },
  PortalOverlayDown: { series: { 'portal_overlay_up{instance="a"}': '0x30' }, at: '15m' },
  PortalLogDropped: { series: { 'portal_log_writes_dropped_total{instance="a"}': '0x5 9x30' }, at: '10m' },
};

test('promtool finds each alert to fire on its cause, and none on a relay that is well', async (t) => {
  const promtool = await requireTool('promtool');
  assert.deepEqual([...alerts].sort(), Object.keys(causes).sort());
  // An alert that is expected not to fire fails where it does: so each that passes here has fired.
  const file = join(temporaryDirectory(t), 'causes.yml');
  const alertsAt = (at: string, alertname: string) => [{ eval_time: at, alertname, exp_alerts: [] }];
  for (const [alertname, { series, at }] of Object.entries(causes)) {
    const input_series = Object.entries(series).map(([name, values]) => ({ series: name, values }));
    const one = { interval: '1m', input_series, alert_rule_test: alertsAt(at, alertname) };
    writeFileSync(file, JSON.stringify({ rule_files: [rulesFile], evaluation_interval: '1m', tests: [one] }));
    const { code, stdout, stderr } = await runProgram(promtool, ['test', 'rules', file]);
    assert.equal(code, 1, `${alertname} does not fire: ${stderr}`);
    assert.match(
      `${stdout.toString()}${stderr}`,
      new RegExp(`alertname: ?${alertname}|alertname="${alertname}"`),
      alertname,
    );
  }
  const well = fileURLToPath(new URL('../../../test/relay/portal-alerts.test.yml', import.meta.url));
  const { code, stdout, stderr } = await runProgram(promtool, ['test', 'rules', well]);
  assert.equal(code, 0, `${stdout.toString()}${stderr}`);
});
