/** Header fields whose values are secrets. */
const secretFields =
  /^(?:authorization|proxy-authorization|cookie|set-cookie|x-api-key|api-key|x-auth-token|x-csrf-token|x-xsrf-token|x-hub-signature(?:-256)?|stripe-signature|x-slack-signature|x-signature)$/;
/** Names in queries, forms and JSON whose values are secrets. */
const secretName = /pass(?:word|phrase|wd)?|secret|token|api[_-]?key|credential|signature|session/i;

export const mask = '•••';

/** @param key in lower case */
export function isSecretField(key: string): boolean {
  return secretFields.test(key) || key.endsWith('-token') || key.endsWith('-secret') || key.endsWith('-key');
}

export function isSecretName(name: string): boolean {
  return secretName.test(name);
}

/** Hides values in the query of a target, or in a form. */
export function maskPairs(text: string): string {
  return text
    .split('&')
    .map((pair) => {
      const at = pair.indexOf('=');
      return at > 0 && isSecretName(pair.slice(0, at)) ? `${pair.slice(0, at)}=${mask}` : pair;
    })
    .join('&');
}

export function maskTarget(target: string): string {
  const at = target.indexOf('?');
  return at < 0 ? target : `${target.slice(0, at)}?${maskPairs(target.slice(at + 1))}`;
}

/** Hides values of a JSON text. @returns the text itself when it is not JSON */
export function maskJson(text: string): string {
  try {
    const hide = (key: string, value: unknown) =>
      isSecretName(key) && (typeof value === 'string' || typeof value === 'number') ? mask : value;
    return JSON.stringify(JSON.parse(text, hide), undefined, 2);
  } catch {
    return text;
  }
}
