/**
 * Reads the Prometheus text format 0.0.4 strictly, and refuses what Prometheus itself would, or would misread: a sample whose
 * family was not declared before it, or whose name its type does not have; families in pieces; a sample twice; values that are
 * no numbers; histograms whose buckets shrink or lack `+Inf`.
 */
export interface Scrape {
  /** Value of the one sample of this name whose labels include those given. @throws Error when there is none, or several */
  value(name: string, labels?: Record<string, string>): number;
  samples: Sample[];
  /** Metric name -> counter, gauge, histogram or summary. */
  types: Map<string, string>;
}

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const labelPair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;
const number = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?Inf|Nan|NaN)$/i;

export function parseScrape(text: string): Scrape {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  const seen = new Set<string>();
  let family = '';
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue;
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
    if (kind === 'HELP' || kind === 'TYPE') {
      if (kind === 'TYPE' && types.has(name)) throw new Error(`declared twice: ${name}`);
      if (kind === 'TYPE' && !/^(counter|gauge|histogram|summary|untyped)$/.test(rest)) throw new Error(line);
      if (kind === 'TYPE') types.set(name, rest);
      family = name;
      continue;
    }
    if (line.startsWith('#')) continue;
    const sample = parseSample(line);
    const base = types.has(sample.name) ? sample.name : sample.name.replace(/_(bucket|sum|count)$/, '');
    if (base !== family || !types.has(base)) throw new Error(`outside its family: ${line}`);
    const suffixed = base !== sample.name;
    if (suffixed && !['histogram', 'summary'].includes(types.get(base) as string)) throw new Error(line);
    const identity = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    if (seen.has(identity)) throw new Error(`twice: ${line}`);
    seen.add(identity);
    if (types.get(base) === 'counter' && !(sample.value >= 0)) throw new Error(`a counter below zero: ${line}`);
    samples.push(sample);
  }
  checkHistograms(samples, types);
  return {
    samples,
    types,
    value(name, labels = {}) {
      const found = samples.filter(
        (sample) =>
          sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
      );
      if (found.length !== 1) throw new Error(`${found.length} samples of ${name} ${JSON.stringify(labels)}`);
      return (found[0] as Sample).value;
    },
  };
}

function parseSample(line: string): Sample {
  const [, name, inBraces, value] = sampleLine.exec(line) ?? [];
  if (name === undefined || value === undefined || !number.test(value)) throw new Error(`no sample: ${line}`);
  const labels: Record<string, string> = {};
  labelPair.lastIndex = 0;
  while (inBraces !== undefined && labelPair.lastIndex < inBraces.length) {
    const at = labelPair.lastIndex;
    const [, label, text] = labelPair.exec(inBraces) ?? [];
    if (label === undefined || text === undefined) throw new Error(`no label at ${at}: ${line}`);
    if (label in labels) throw new Error(`a label twice: ${line}`);
    labels[label] = text.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
  }
  return { name, labels, value: Number(value.replace(/inf/i, 'Infinity')) };
}

function checkHistograms(samples: Sample[], types: Map<string, string>): void {
  for (const [name, type] of types) {
    if (type !== 'histogram') continue;
    const series = new Map<string, Sample[]>();
    for (const sample of samples.filter((each) => each.name === `${name}_bucket`)) {
      const key = JSON.stringify(Object.entries(sample.labels).filter(([label]) => label !== 'le'));
      series.set(key, [...(series.get(key) ?? []), sample]);
    }
    for (const buckets of series.values()) {
      if (buckets.at(-1)?.labels['le'] !== '+Inf') throw new Error(`${name}: no +Inf bucket at the end`);
      const grows = buckets.every((bucket, i) => i === 0 || bucket.value >= (buckets[i - 1] as Sample).value);
      if (!grows) throw new Error(`${name}: buckets shrink`);
    }
  }
}
