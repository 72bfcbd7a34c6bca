/**
 * JSON as Go's `json.Marshal` writes it, for what is signed over text that Go programs made. Where the two languages would
 * write the same value differently, Go's way is the one here.
 */

/** A string: `<`, `>`, `&`, U+2028 and U+2029 are escaped, half a surrogate pair is U+FFFD. */
export function goJsonString(text: string): string {
  return JSON.stringify(text.replace(/\p{Surrogate}/gu, '\ufffd')).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * A float64: both languages write the shortest digits that read back as the same number, and turn to exponents below 1e-6 and
 * from 1e21 on. Only zero's sign differs.
 */
export function goJsonNumber(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}
