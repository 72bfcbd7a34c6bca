const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/;

/**
 * Nanoseconds since the epoch of an RFC 3339 time. As a bigint, since they are signed and a double would round them.
 * @returns undefined for anything else, including a leap second and more than nine fractional digits
 */
export function unixNano(text: string): bigint | undefined {
  const [, year, month, day, hour, minute, second, fraction = '', sign, zoneHour, zoneMinute] =
    rfc3339.exec(text) ?? [];
  if (year === undefined) return undefined;
  const plain = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  const ms = Date.parse(`${plain}Z`);
  // A day beyond the month's end is parsed as one of the next month.
  if (Number.isNaN(ms) || new Date(ms).toISOString() !== `${plain}.000Z`) return undefined;
  if (Number(zoneHour ?? 0) > 23 || Number(zoneMinute ?? 0) > 59) return undefined;
  const offsetMinutes = (Number(zoneHour ?? 0) * 60 + Number(zoneMinute ?? 0)) * (sign === '-' ? -1 : 1);
  return BigInt(ms - offsetMinutes * 60_000) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

export const nanoOfMs = (ms: number): bigint => BigInt(Math.round(ms)) * 1_000_000n;
