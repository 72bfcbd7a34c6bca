/**
 * JSON as written by Go's `json.Marshal`, for signatures over text made by Go programs. Where the two languages
 * differ, this follows Go.
 */

/** A string: `<`, `>`, `&`, U+2028 and U+2029 are escaped, a lone surrogate becomes U+FFFD. */
export function goJsonString(text: string): string {
  return JSON.stringify(text.replace(/\p{Surrogate}/gu, '\ufffd')).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * A float64: both languages write the shortest digits that round-trip, with exponents below 1e-6 and from 1e21 on.
 * Only negative zero differs.
 */
export function goJsonNumber(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}
