const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];

/** `1.5 MB` */
export function bytes(count: number): string {
  let unit = 0;
  let value = count;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Of the reader's zone. */
export function time(rfc3339: string): string {
  return new Date(rfc3339).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

const steps: [seconds: number, unit: Intl.RelativeTimeFormatUnit][] = [
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
];
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

/** `3 minutes ago`, `in 20 days` */
export function ago(rfc3339: string, now = Date.now()): string {
  const seconds = (Date.parse(rfc3339) - now) / 1_000;
  const [step, unit] = steps.find(([each]) => Math.abs(seconds) >= each) ?? [1, 'second'];
  return relative.format(Math.trunc(seconds / step), unit);
}

/** `3 days`, `2 hours` */
export function duration(ms: number): string {
  const [step, unit] = steps.find(([each]) => ms >= each * 1_000) ?? [1, 'second'];
  const count = Math.floor(ms / 1_000 / step);
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** `0x1234…cdef` */
export const short = (address: string) => `${address.slice(0, 6)}…${address.slice(-4)}`;
