/** When the self-probe visits, and what it makes of what it finds; sessions here are made up. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { InterceptionError } from '../../src/tunnel/index.js';
import { type ProbeReport, type ProbedSession, SelfProbe } from '../../src/tunnel/link/self-probe.js';
import type { ProbeConnection } from '../../src/tunnel/link/probe-connection.js';

const target = { hostname: 'app.portal.localhost', url: 'https://app.portal.localhost:8443' };
const hourMs = 3_600_000;

/** One end of a TLS session: both ends of a session have one secret, and give the same exporter. */
const session = (secret: string): ProbedSession => ({
  exportKeyingMaterial: (length, label, context) =>
    createHmac('sha256', secret).update(`${label} `).update(context).digest().subarray(0, length),
});

interface Bench {
  probe: SelfProbe<typeof target>;
  reports: ProbeReport[];
  visits: number;
  confirmations: number;
  held: typeof target | undefined;
  /** What the next visits come to. */
  visit(): Promise<ProbeConnection>;
  confirm(): Promise<void>;
  /** Lets the clock go on, and what it starts come to its end. */
  pass(ms: number): Promise<void>;
}

function bench(t: TestContext): Bench {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const made: Bench = {
    reports: [],
    visits: 0,
    confirmations: 0,
    held: target,
    visit: () => Promise.resolve(visitOf('the probe')),
    confirm: () => Promise.resolve(),
    probe: new SelfProbe<typeof target>({
      intervalMs: hourMs,
      maxDelayMs: 0,
      target: () => made.held,
      connect: (url) => {
        assert.equal(url.href, `${target.url}/`);
        made.visits++;
        return made.visit();
      },
      confirm: () => {
        made.confirmations++;
        return made.confirm();
      },
      report: (report) => made.reports.push(report),
    }),
    async pass(ms) {
      t.mock.timers.tick(ms);
      for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => setImmediate(resolve));
    },
  };
  t.after(() => made.probe.stop());
  return made;
}

function visitOf(secret: string, protocol = 'TLSv1.3'): ProbeConnection {
  return { ...session(secret), protocol, close: () => Promise.resolve() };
}

/** A visit whose TLS ends in this tunnel, beside sessions of others. */
function visitEndingHere(made: Bench, marks: (string | undefined)[] = []): () => Promise<ProbeConnection> {
  return () => {
    for (const secret of ['a visitor', 'the probe', 'another']) marks.push(made.probe.witness(session(secret)));
    return Promise.resolve(visitOf('the probe'));
  };
}

const results = (made: Bench) => made.reports.map(({ result }) => result);

test('without traffic there is no self-probe', async (t) => {
  const made = bench(t);
  await made.pass(1000 * hourMs);
  assert.equal(made.visits, 0);
});

test('visitors within the interval cause one probe, later ones the next', async (t) => {
  const made = bench(t);
  made.visit = visitEndingHere(made);
  for (let visitor = 0; visitor < 10; visitor++) made.probe.onVisitor();
  await made.pass(0);
  assert.deepEqual(results(made), ['pass']);
  for (let visitor = 0; visitor < 10; visitor++) made.probe.onVisitor();
  await made.pass(0.9 * hourMs);
  assert.equal(made.visits, 1);
  await made.pass(0.1 * hourMs);
  assert.equal(made.visits, 2);
  await made.pass(10 * hourMs);
  assert.equal(made.visits, 2);
});

test('a change of the system clock does not affect the probe interval', async (t) => {
  const made = bench(t);
  const now = Date.now();
  t.mock.timers.reset();
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now });
  for (const jump of [0, 100 * hourMs, -100 * hourMs]) {
    const before = made.visits;
    t.mock.timers.setTime(now + jump);
    made.probe.onVisitor();
    if (before > 0) await made.pass(0.9 * hourMs);
    assert.equal(made.visits, before);
    await made.pass(0.1 * hourMs);
    assert.equal(made.visits, before + 1);
  }
});

test('without a lease there is no probe until the next visitor', async (t) => {
  const made = bench(t);
  made.held = undefined;
  made.probe.onVisitor();
  await made.pass(0);
  assert.equal(made.visits, 0);
  made.held = target;
  made.probe.onVisitor();
  await made.pass(0);
  assert.equal(made.visits, 1);
});

test('the session of the probe is told from those of visitors, and nothing is recorded without a probe', async (t) => {
  const made = bench(t);
  const marks: (string | undefined)[] = [];
  made.visit = visitEndingHere(made, marks);
  assert.equal(made.probe.witness(session('the probe')), undefined);
  made.probe.onVisitor();
  await made.pass(0);
  assert.deepEqual(
    marks.map((mark) => made.probe.isOwn(mark)),
    [false, true, false],
  );
  assert.equal(made.probe.isOwn(undefined), false);
  assert.equal(made.probe.witness(session('the probe')), undefined);
  assert.equal(made.confirmations, 0);
});

test('a probe that terminates in no own session is an interception, once the lease is confirmed', async (t) => {
  const made = bench(t);
  made.visit = () => {
    made.probe.witness(session('a visitor'));
    return Promise.resolve(visitOf('somebody else'));
  };
  made.probe.onVisitor();
  await made.pass(0);
  assert.deepEqual(results(made), ['mismatch']);
  assert.ok(made.reports[0]!.error instanceof InterceptionError);
  assert.equal(made.confirmations, 1);
});

test('a probe that gets an older TLS version than that of the tunnel is an interception', async (t) => {
  const made = bench(t);
  made.visit = () => {
    made.probe.witness(session('the probe'));
    return Promise.resolve(visitOf('the probe', 'TLSv1.2'));
  };
  made.probe.onVisitor();
  await made.pass(0);
  assert.deepEqual(results(made), ['mismatch']);
});

test('exporter values of one probe do not affect the next', async (t) => {
  const made = bench(t);
  made.visit = visitEndingHere(made);
  made.probe.onVisitor();
  await made.pass(0);
  made.visit = () => Promise.resolve(visitOf('the probe'));
  made.probe.onVisitor();
  await made.pass(hourMs);
  assert.deepEqual(results(made), ['pass', 'mismatch']);
});

test('a probe is inconclusive if it fails, the lease is not confirmed, or there were too many connections', async (t) => {
  const made = bench(t);
  const failure = new Error('unreachable');
  made.visit = () => Promise.reject(failure);
  made.probe.onVisitor();
  await made.pass(0);
  assert.equal(made.reports[0]!.error, failure);

  made.visit = () => Promise.resolve(visitOf('somebody else'));
  made.confirm = () => Promise.reject(failure);
  made.probe.onVisitor();
  await made.pass(hourMs);
  assert.equal(made.reports[1]!.error, failure);

  made.visit = () => {
    for (let visitor = 0; visitor <= 4_096; visitor++) made.probe.witness(session(`visitor ${visitor}`));
    return Promise.resolve(visitOf('the probe'));
  };
  made.confirm = () => Promise.resolve();
  made.probe.onVisitor();
  await made.pass(hourMs);
  assert.deepEqual(results(made), ['unknown', 'unknown', 'unknown']);
  assert.match(made.reports[2]!.message, /too many visitors/);
});

test('once stopped there are no reports and no probes, including a running one', async (t) => {
  const made = bench(t);
  let finish!: (visit: ProbeConnection) => void;
  made.visit = () => new Promise((resolve) => (finish = resolve));
  made.probe.onVisitor();
  await made.pass(0);
  made.probe.stop();
  finish(visitOf('somebody else'));
  made.probe.onVisitor();
  await made.pass(10 * hourMs);
  assert.equal(made.visits, 1);
  assert.deepEqual(made.reports, []);
});
