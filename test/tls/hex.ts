/** Bytes of a hex string that may be laid out with spaces and line breaks. */
export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
}
