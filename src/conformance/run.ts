import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { developmentCaFile, developmentCertificate } from '../relay/certs/development-ca.js';
import { DriverError } from './driver.js';
import type { Scenario } from './scenarios/scenario.js';
import { secondsSince, type Verdict } from './verdict.js';
import { NotMet } from './not-met.js';
import { Stage, type StageOptions, startByHandMs } from './stage.js';

/** A scenario that hangs is a failure, with this reason. */
const scenarioTimeoutMs = 60_000;
const rootHost = 'portal.localhost';

export interface RunOptions {
  /** Starts the driver, by a shell; without it the SDK is started by hand. */
  command?: string | undefined;
  scenarios: readonly Scenario[];
  /** Scenarios at once. */
  atOnce?: number;
  onVerdict?: ((verdict: Verdict) => void) | undefined;
}

/** Plays scenarios with an SDK. @returns the verdicts in the order of the scenarios */
export async function runConformance({ command, scenarios, atOnce = 2, onVerdict }: RunOptions): Promise<Verdict[]> {
  const folder = await mkdtemp(join(tmpdir(), 'portal-conformance-'));
  try {
    const [own, other] = [join(folder, 'own'), join(folder, 'other')];
    const [certificate, otherCertificate] = await Promise.all(
      [own, other].map(async (path) => {
        await mkdir(path);
        return await developmentCertificate(path, rootHost);
      }),
    );
    const options: StageOptions = {
      command,
      certificate: certificate!,
      otherCertificate: otherCertificate!,
      caFile: developmentCaFile(own),
    };
    const verdicts = new Map<Scenario, Verdict>();
    const queue = [...scenarios];
    const work = async () => {
      for (let scenario = queue.shift(); scenario; scenario = queue.shift()) {
        const verdict = await play(scenario, options);
        verdicts.set(scenario, verdict);
        onVerdict?.(verdict);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    return scenarios.map((scenario) => verdicts.get(scenario)!);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function play(scenario: Scenario, options: StageOptions): Promise<Verdict> {
  const { id, level, requirement, source } = scenario;
  const started = performance.now();
  const stage = await Stage.set(options);
  let reason: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const most = scenarioTimeoutMs + (options.command === undefined ? startByHandMs : 0);
    timer = setTimeout(() => reject(new NotMet(`the scenario takes longer than ${most / 1000} s`)), most);
  });
  try {
    await Promise.race([scenario.play(stage), late]);
    stage.driver.check();
    if (stage.box.fault) throw stage.box.fault;
  } catch (error) {
    const fault = stage.box.fault ?? error;
    const isVerdict = fault instanceof NotMet || fault instanceof DriverError;
    reason = isVerdict ? fault.message : `a fault of the kit: ${(fault as Error).stack}`;
  } finally {
    clearTimeout(timer);
    await stage.clear();
  }
  const seconds = secondsSince(started);
  const verdict = { id, level, requirement, source, seconds };
  return reason === undefined ? { ...verdict, passed: true } : { ...verdict, passed: false, reason, log: stage.log };
}
