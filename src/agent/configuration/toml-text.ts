import { isDeepStrictEqual } from 'node:util';
import { parse } from 'smol-toml';

/** A value that can be written. */
export type TomlValue = string | number | boolean | readonly string[];
export type TomlTable = Record<string, TomlValue | undefined>;

type Table = Record<string, unknown>;

/** The text is written in a way that this cannot change without touching more. */
export class TomlEditError extends Error {
  override readonly name = 'TomlEditError';
}

/** A statement of a TOML document: a table's header, a key with its value, or what stands between (comments, empty lines). */
interface Statement {
  readonly kind: 'table' | 'pair' | 'other';
  /** The header's path, or the key. */
  readonly name: string;
  readonly begin: number;
  /** With the end of its line. */
  readonly end: number;
}

/**
 * Sets keys of a table `[parent.name]`, or makes it at the end of the document; `undefined` takes a key out. All else stays as it is, byte for byte.
 * @throws TomlEditError when the document is written in another way, such as with inline tables
 */
export function setInTable(text: string, path: readonly [string, string], changes: TomlTable): string {
  const header = path.map(keyText).join('.');
  const statements = scan(text);
  const at = statements.findIndex(({ kind, name }) => kind === 'table' && name === header);
  const added = (of: TomlTable) =>
    Object.entries(of).flatMap(([key, value]) =>
      value === undefined ? [] : [`${keyText(key)} = ${valueText(value)}\n`],
    );
  if (at < 0) {
    const gap = text === '' || text.endsWith('\n\n') ? '' : text.endsWith('\n') ? '\n' : '\n\n';
    const made = `${text}${gap}[${header}]\n${added(changes).join('')}`;
    return checked(text, made, (table) => change(table, path, changes));
  }
  const next = statements.findIndex(({ kind }, index) => index > at && kind === 'table');
  const own = statements.slice(at, next < 0 ? undefined : next);
  const missing = { ...changes };
  const edits: { begin: number; end: number; text: string }[] = [];
  for (const { kind, name, begin, end } of own) {
    if (kind !== 'pair' || !Object.hasOwn(changes, name)) continue;
    delete missing[name];
    const value = changes[name];
    edits.push({
      begin,
      end,
      text: value === undefined ? '' : `${keyText(name)} = ${valueText(value)}${comment(text.slice(begin, end))}\n`,
    });
  }
  // New keys come after the last one of the table, before the comments of the next.
  const last = own.findLast(({ kind }) => kind !== 'other')!;
  const eol = text.slice(0, last.end).endsWith('\n') ? '' : '\n';
  const more = added(missing).join('');
  if (more !== '') edits.push({ begin: last.end, end: last.end, text: eol + more });
  let made = text;
  for (const edit of edits.sort((one, other) => other.begin - one.begin))
    made = made.slice(0, edit.begin) + edit.text + made.slice(edit.end);
  return checked(text, made, (table) => change(table, path, changes));
}

/** Takes a table out, with its keys and the comment before its header. @throws TomlEditError as `setInTable` */
export function removeTable(text: string, path: readonly [string, string]): string {
  const header = path.map(keyText).join('.');
  const statements = scan(text);
  const at = statements.findIndex(({ kind, name }) => kind === 'table' && name === header);
  if (at < 0) throw new TomlEditError(`[${header}] is no table of its own`);
  let first = at;
  while (first > 0 && statements[first - 1]!.kind === 'other' && text[statements[first - 1]!.begin] === '#') first--;
  const next = statements.findIndex(({ kind }, index) => index > at && kind === 'table');
  // The comment before the next table is that table's.
  let end = next < 0 ? statements.length : next;
  while (end > at + 1 && statements[end - 1]!.kind === 'other' && next >= 0 && text[statements[end - 1]!.begin] === '#')
    end--;
  const made = text.slice(0, statements[first]!.begin) + text.slice(statements[end]?.begin ?? text.length);
  return checked(text, made, (table) => {
    const parent = table[path[0]] as Table;
    delete parent[path[1]];
    if (Object.keys(parent).length === 0) delete table[path[0]];
  });
}

function change(table: Table, [parent, name]: readonly [string, string], changes: TomlTable): void {
  const own = childOf(childOf(table, parent), name);
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) delete own[key];
    else own[key] = typeof value === 'object' ? [...value] : value;
  }
}

/** A table's own, made where it is missing: `constructor` is a name like any other. */
function childOf(table: Table, name: string): Table {
  if (!Object.hasOwn(table, name)) table[name] = {};
  return table[name] as Table;
}

/** @throws TomlEditError unless the new text says what the old one did, and the change */
function checked(before: string, after: string, apply: (table: Table) => void): string {
  const wanted = parse(before) as Table;
  apply(wanted);
  let made: unknown;
  try {
    made = parse(after);
  } catch {
    made = undefined;
  }
  if (!isDeepStrictEqual(structuredClone(made), structuredClone(wanted)))
    throw new TomlEditError(
      'it is written in a way that cannot be changed here without changing more: edit the file by hand',
    );
  return after;
}

const bareKey = /^[A-Za-z0-9_-]+$/;
const keyText = (key: string) => (bareKey.test(key) ? key : JSON.stringify(key));

function valueText(value: TomlValue): string {
  if (typeof value !== 'object') return typeof value === 'string' ? JSON.stringify(value) : String(value);
  return `[${value.map((each) => JSON.stringify(each)).join(', ')}]`;
}

/** The comment at the end of a statement, with the space before it. Comments within a list go with the list. */
function comment(statement: string): string {
  let depth = 0;
  for (let at = 0; at < statement.length;) {
    const char = statement[at]!;
    if (char === '#' && depth === 0) {
      const value = statement.slice(0, at).trimEnd();
      const space = statement.slice(value.length, at);
      return space + statement.slice(at).trimEnd();
    }
    if (char === '#') at = endOfLine(statement, at);
    else if (char === '"' || char === "'") at = endOfString(statement, at);
    else {
      if (char === '[' || char === '{') depth++;
      if (char === ']' || char === '}') depth--;
      at++;
    }
  }
  return '';
}

function scan(text: string): Statement[] {
  const statements: Statement[] = [];
  for (let begin = 0; begin < text.length;) {
    const from = begin + /^[ \t]*/.exec(text.slice(begin, begin + 256))![0].length;
    const first = text[from] ?? '\n';
    const end = first === '#' || first === '\n' || first === '\r' ? endOfLine(text, from) : endOfStatement(text, from);
    const body = text.slice(from, end);
    if (first === '[') statements.push({ kind: 'table', name: headerName(body), begin, end });
    else if (end > from && !/^[#\r\n]/.test(first)) statements.push({ kind: 'pair', name: pairName(body), begin, end });
    else statements.push({ kind: 'other', name: '', begin: from, end });
    begin = end;
  }
  return statements;
}

/** As `keyText` writes it, so that the two compare. */
function headerName(body: string): string {
  const inside = /^\[([^[\]\n]*)\]/.exec(body)?.[1];
  return inside === undefined
    ? body
    : inside
        .split('.')
        .map((part) => keyText(unquoted(part.trim())))
        .join('.');
}

/** The key before the first `=` that no string has. */
function pairName(body: string): string {
  for (let at = 0; at < body.length && body[at] !== '\n';) {
    if (body[at] === '=') return unquoted(body.slice(0, at).trim());
    at = body[at] === '"' || body[at] === "'" ? endOfString(body, at) : at + 1;
  }
  return '';
}

const unquoted = (key: string) => key.replace(/^(["'])(.*)\1$/, '$2');

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end + 1;
}

/** The end of the line in which all brackets and strings are closed. */
function endOfStatement(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length;) {
    const char = text[at]!;
    if (char === '#') at = endOfLine(text, at) - 1;
    else if (char === '"' || char === "'") {
      at = endOfString(text, at);
      continue;
    } else if (char === '[' || char === '{') depth++;
    else if (char === ']' || char === '}') depth--;
    if (text[at] === '\n' && depth <= 0) return at + 1;
    at++;
  }
  return text.length;
}

/** @param at where its first quotation mark is @returns the place after its last */
function endOfString(text: string, at: number): number {
  const quote = text[at]!;
  const isLong = text.startsWith(quote.repeat(3), at);
  const mark = isLong ? quote.repeat(3) : quote;
  let end = at + mark.length;
  while (end < text.length) {
    if (quote === '"' && text[end] === '\\') end += 2;
    else if (text.startsWith(mark, end)) {
      end += mark.length;
      // Up to two quotation marks may stand before the closing three.
      while (isLong && text[end] === quote) end++;
      return end;
    } else if (!isLong && text[end] === '\n') return end;
    else end++;
  }
  return text.length;
}
