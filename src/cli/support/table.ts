import { printable } from '../../sdk/calls/answers.js';

export interface Column<Row> {
  title: string;
  of(row: Row): string;
  right?: boolean;
  /** Most characters of a cell; JSON output has the whole value. */
  longest?: number;
}

const defaultLongest = 64;

/**
 * A table with a header row and two spaces between columns. On a narrow terminal, columns are dropped from the right.
 * Control characters in a cell are replaced.
 */
export function table<Row>(columns: Column<Row>[], rows: Row[], terminalWidth = Infinity): string {
  const cells = columns.map(({ title, of, longest = defaultLongest }) => [
    title,
    ...rows.map((row) => printable(of(row), longest)),
  ]);
  const widths = cells.map((column) => Math.max(...column.map((cell) => cell.length)));
  let shown = 0;
  for (let width = -2; shown < columns.length; shown++) {
    width += (widths[shown] as number) + 2;
    if (shown > 0 && width > terminalWidth) break;
  }
  const lines = Array.from({ length: rows.length + 1 }, (_, row) =>
    cells
      .slice(0, shown)
      .map((column, at) => {
        const [cell, width] = [column[row] as string, widths[at] as number];
        return columns[at]?.right ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}
