import type { Verdict } from '../verdict.js';

/** What a report says of the whole run. */
export interface Summary {
  passed: number;
  failed: number;
  /** The highest level all of whose requirements are met; 0 for none. */
  level: number;
}

export function summarize(verdicts: readonly Verdict[]): Summary {
  const failed = verdicts.filter(({ passed }) => !passed);
  const levels = [...new Set(verdicts.map(({ level }) => level))].sort();
  const met = levels.filter((level) => !failed.some((verdict) => verdict.level <= level));
  return { passed: verdicts.length - failed.length, failed: failed.length, level: met.at(-1) ?? 0 };
}

export function asLine({ passed, id, requirement, seconds, reason, source }: Verdict): string {
  const first = `${passed ? 'ok  ' : 'FAIL'} ${id}  ${requirement} (${seconds} s)`;
  return passed ? first : `${first}\n     ${reason ?? ''}\n     see ${source}`;
}

export function asText(verdicts: readonly Verdict[]): string {
  const { passed, failed, level } = summarize(verdicts);
  return `${passed} requirements met, ${failed} not; level ${level}`;
}

export function asJson(verdicts: readonly Verdict[]): string {
  return JSON.stringify({ ...summarize(verdicts), requirements: verdicts });
}

/** JUnit's XML, as CI servers read it. */
export function asJUnit(verdicts: readonly Verdict[]): string {
  const { failed } = summarize(verdicts);
  const seconds = verdicts.reduce((sum, verdict) => sum + verdict.seconds, 0);
  const cases = verdicts.map(({ id, level, requirement, source, passed, seconds: time, reason = '', log = '' }) => {
    const head = `  <testcase classname="level ${level}" name="${escape(`${id}: ${requirement}`)}" time="${time}"`;
    if (passed) return `${head}/>`;
    return `${head}>\n    <failure message="${escape(reason)}">${escape(`${source}\n${log}`)}</failure>\n  </testcase>`;
  });
  const suite = `<testsuite name="portal conformance" tests="${verdicts.length}" failures="${failed}" time="${seconds.toFixed(2)}">`;
  return ['<?xml version="1.0" encoding="UTF-8"?>', suite, ...cases, '</testsuite>', ''].join('\n');
}

/** Characters that XML 1.0 does not allow are left out: a driver may print anything. */
function escape(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text
    .replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD]/g, '')
    .replaceAll(/[&<>"]/g, (character) => names[character] as string);
}
