/** A header or trailer field. Names and values hold bytes as latin1 does, so that they leave as they came. */
export interface Field extends FieldName {
  readonly value: string;
}

/** What the name of a field says. */
export interface FieldName {
  /** The name in lower case. */
  readonly key: string;
  readonly name: string;
  /** For the next hop alone (RFC 9110 7.6.1). */
  readonly isHopByHop: boolean;
  /** Set by this proxy only: services trust it. */
  readonly isForwarding: boolean;
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const hopByHop = /^(?:connection|keep-alive|proxy-connection|te|transfer-encoding|upgrade)$/;
const forwarding = /^(?:forwarded|x-forwarded(?:-.*)?|x-real-ip|x-client-ip|true-client-ip|x-portal-user)$/;

/** Names that were seen: nearly all messages have the same ones. */
const names = new Map<string, FieldName>();
const maxNames = 500;
const maxNameLength = 40;

/** @returns undefined for what is no name of a field */
export function fieldName(name: string): FieldName | undefined {
  const known = names.get(name);
  if (known || !token.test(name)) return known;
  const key = name.toLowerCase();
  // Some services treat `_` as `-` (CGI).
  const isForwarding = forwarding.test(key.replaceAll('_', '-'));
  const made = { key, name, isHopByHop: hopByHop.test(key), isForwarding };
  if (name.length <= maxNameLength && names.size < maxNames) names.set(name, made);
  return made;
}

/** @param name is one of a field */
export function field(name: string, value: string): Field {
  return named(fieldName(name) as FieldName, value);
}

export function named({ key, name, isHopByHop, isForwarding }: FieldName, value: string): Field {
  return { key, name, isHopByHop, isForwarding, value };
}

/** Whether services take a field with this name from this proxy only. */
export function isForwarding(name: string): boolean {
  return fieldName(name)?.isForwarding === true;
}

/** @returns the first value */
export function valueOf(fields: readonly Field[], key: string): string | undefined {
  for (const each of fields) if (each.key === key) return each.value;
  return undefined;
}

export function valuesOf(fields: readonly Field[], key: string): string[] {
  return fields.filter((each) => each.key === key).map(({ value }) => value);
}

/** The items of a comma-separated list, in lower case, of all fields with this name. */
export function itemsOf(fields: readonly Field[], key: string): string[] {
  const items: string[] = [];
  for (const each of fields)
    if (each.key === key) for (const item of each.value.split(',')) items.push(item.trim().toLowerCase());
  return items;
}
