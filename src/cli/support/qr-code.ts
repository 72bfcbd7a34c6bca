import { encode } from 'uqr';

/** Modules around the code: half of what ISO/IEC 18004 asks for, which cameras manage with. */
const border = 2;

/** A QR code for a terminal, two modules a character: black on white whatever the terminal's colours are. */
export function qrCode(text: string): string[] {
  const { data, size } = encode(text, { border, ecc: 'L' });
  const isDark = (row: number, column: number) => data[row]?.[column] === true;
  const lines: string[] = [];
  for (let row = 0; row < size; row += 2) {
    let line = '';
    for (let column = 0; column < size; column++) {
      const [upper, lower] = [isDark(row, column), isDark(row + 1, column)];
      line += upper ? (lower ? '█' : '▀') : lower ? '▄' : ' ';
    }
    lines.push(`\x1b[30;107m${line}\x1b[0m`);
  }
  return lines;
}
