import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { median } from './rounds.js';

/** A target: our value, or its ratio to another's. */
export interface Target {
  against?: string;
  atMost?: number;
  atLeast?: number;
}

export interface Row {
  scenario: string;
  metric: string;
  unit: string;
  /** By what was measured, ours first; a value a round. */
  values: Record<string, number[]>;
  targets?: Target[];
}

interface Judged {
  text: string;
  met: boolean;
}

/** Collects what the scenarios measured; prints it as they go, writes all of it at the end. */
export class Report {
  readonly #rows: Row[] = [];
  readonly #notes: string[] = [];

  constructor(private readonly options: object) {}

  add(row: Row): void {
    this.#rows.push(row);
    process.stdout.write(`${row.scenario}: ${row.metric}, ${row.unit}\n`);
    const [own, ...others] = Object.entries(row.values).map(([name, values]) => ({ name, value: median(values) }));
    if (!own) return;
    process.stdout.write(`  ${own.name.padEnd(18)} ${format(own.value).padStart(9)}\n`);
    for (const { name, value } of others) {
      const ratio = value > 0 ? `   ${format(own.value / value)} of it` : '';
      process.stdout.write(`  ${name.padEnd(18)} ${format(value).padStart(9)}${ratio}\n`);
    }
    for (const { text, met } of judge(row)) process.stdout.write(`  ${met ? 'meets' : 'MISSES'} ${text}\n`);
  }

  note(text: string): void {
    this.#notes.push(text);
    process.stdout.write(`note: ${text}\n`);
  }

  /** The whole as one table in Markdown. */
  table(): string {
    const lines = this.#rows.map((row) => {
      const [own, ...others] = Object.entries(row.values).map(([name, values]) => ({ name, value: median(values) }));
      const compared = others.map(({ name, value }) => {
        const ratio = own && value > 0 ? ` (${format(own.value / value)})` : '';
        return `${name} ${format(value)}${ratio}`;
      });
      const verdicts = judge(row).map(({ text, met }) => `${met ? 'yes' : 'no'}: ${text}`);
      const cells = [row.scenario, `${row.metric}, ${row.unit}`, own ? format(own.value) : ''];
      return `| ${[...cells, compared.join(', '), verdicts.join('; ')].join(' | ')} |`;
    });
    const head = ['scenario', 'figure', 'ours', 'others (ours / theirs)', 'target met'];
    return [`| ${head.join(' | ')} |`, `|${head.map(() => '---|').join('')}`, ...lines].join('\n');
  }

  write(file: string): void {
    const machine = {
      node: process.version,
      cores: cpus().length,
      model: cpus()[0]?.model,
      platform: process.platform,
    };
    const rows = this.#rows.map((row) => ({
      ...row,
      medians: Object.fromEntries(Object.entries(row.values).map(([name, values]) => [name, median(values)])),
      verdicts: judge(row),
    }));
    const whole = { at: new Date().toISOString(), machine, options: this.options, notes: this.#notes, rows };
    writeFileSync(file, `${JSON.stringify(whole, undefined, 2)}\n`);
  }
}

function judge({ values, targets = [] }: Row): Judged[] {
  const own = median(Object.values(values)[0] ?? []);
  return targets.flatMap(({ against, atMost, atLeast }) => {
    const other = against === undefined ? [1] : values[against];
    if (!other) return [];
    const value = own / median(other);
    const of = against === undefined ? '' : ` of ${against}`;
    if (atMost !== undefined) return [{ text: `at most ${atMost}${of}: ${format(value)}`, met: value <= atMost }];
    return [{ text: `at least ${atLeast}${of}: ${format(value)}`, met: value >= (atLeast ?? 0) }];
  });
}

function format(value: number): string {
  if (value >= 1_000) return Math.round(value).toLocaleString('en').replaceAll(',', ' ');
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value.toFixed(value >= 1 ? 2 : 3);
}
