import fc from 'fast-check';
import { type Node, type TestedOperation, contract, resolve } from './document.js';
import type { HttpRequest } from './http.js';
import { withoutUndefined } from '../../../src/util/without-undefined.js';

const longestString = 300;

/** Values that a schema of the contract allows. */
export function valuesOf(schema: Node): fc.Arbitrary<unknown> {
  const { allOf, oneOf, ...own } = flatten(schema);
  if (allOf) throw new Error('allOf was not merged');
  if (oneOf) return fc.oneof(...(oneOf as Node[]).map(valuesOf));
  if (own.const !== undefined) return fc.constant(own.const);
  if (own.enum) return fc.constantFrom(...(own.enum as unknown[]));
  switch (own.type) {
    case 'string':
      return stringsOf(own);
    case 'integer':
    case 'number':
      return fc.integer({ min: own.minimum ?? -(2 ** 31), max: Math.min(own.maximum ?? 2 ** 31, 2 ** 31 - 1) });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return fc.array(valuesOf(own.items), {
        minLength: own.minItems ?? 0,
        maxLength: Math.min(own.maxItems ?? 4, 20),
      });
    case 'object':
      return objectsOf(own);
    default:
      return fc.jsonValue();
  }
}

function stringsOf({ pattern, format, minLength = 0, maxLength = longestString }: Node): fc.Arbitrary<string> {
  if (format === 'date-time')
    return fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true }).map((date) => date.toISOString());
  const fits = (text: string) => text.length >= minLength && text.length <= maxLength;
  if (pattern !== undefined) {
    const whole = (pattern as string).endsWith('$') ? (pattern as string) : `${pattern}[!-~]{1,80}$`;
    // Left to itself the generator makes a few of what may come any number of times: most would be too short for good.
    const most = Math.max(minLength, Math.min(maxLength - 2, minLength + 60));
    return fc.stringMatching(new RegExp(whole.replace(']+', `]{${minLength},${most}}`))).filter(fits);
  }
  const longest = Math.min(maxLength, longestString);
  return fc.string({ unit: 'grapheme', minLength, maxLength: longest }).filter(fits);
}

function objectsOf({ properties = {}, required = [] }: Node): fc.Arbitrary<object> {
  const fields = Object.fromEntries(Object.entries<Node>(properties).map(([name, schema]) => [name, valuesOf(schema)]));
  const known = fc.record(fields, { requiredKeys: required as string[] });
  // Objects are open: a field more must not matter.
  const unknown = fc.dictionary(fc.string({ maxLength: 12 }), fc.jsonValue(), { maxKeys: 1 });
  return fc.tuple(unknown, known).map(([more, object]) => ({ ...more, ...object }));
}

function flatten(schema: Node): Node {
  const { allOf = [], ...own } = resolve(schema) ?? {};
  return (allOf as Node[]).map(flatten).reduce((merged, part) => ({ ...merged, ...part }), own);
}

/** Puts something else at one place of a value, chosen by a number. */
function spoilt(value: unknown, place: number, other: unknown): unknown {
  if (typeof value !== 'object' || value === null) return other;
  const names = Object.keys(value);
  if (names.length === 0 || place % 5 === 0) return other;
  const name = names[place % names.length]!;
  const inside = spoilt((value as Record<string, unknown>)[name], Math.floor(place / names.length), other);
  if (Array.isArray(value)) return value.map((item: unknown, index) => (String(index) === name ? inside : item));
  return { ...value, [name]: inside };
}

const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.constantFrom<unknown>(
    '',
    null,
    0,
    -1,
    1e308,
    2 ** 53,
    '\u0000',
    '__proto__',
    { constructor: null },
    '../..',
    '%00',
  ),
  fc.nat({ max: 70_000 }).map((length) => 'x'.repeat(length)),
  fc.integer({ min: 1, max: 2_000 }).map((depth) => JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as unknown),
);

/** Mostly values of the schema, some with one thing wrong, some nothing of the kind. */
function nearly(schema: Node): fc.Arbitrary<unknown> {
  const valid = valuesOf(schema);
  return fc.oneof(
    { weight: 4, arbitrary: valid },
    {
      weight: 4,
      arbitrary: fc.tuple(valid, fc.nat(), anything).map(([value, place, other]) => spoilt(value, place, other)),
    },
    { weight: 1, arbitrary: anything },
  );
}

const headerText = fc.string({ unit: 'grapheme-ascii', maxLength: 60 }).map((text) => text.trim());

function headersOf(parameters: Node[], tokens: string[]): fc.Arbitrary<Record<string, string>> {
  const known = parameters
    .filter(({ in: place, name }) => place === 'header' && name !== 'Upgrade')
    .map(({ name, schema }): [string, fc.Arbitrary<string>] => [
      (name as string).toLowerCase(),
      fc.oneof(
        valuesOf(schema).map((value) =>
          String(value)
            .replaceAll(/[^\x20-\x7e]/g, '?')
            .trim(),
        ),
        headerText,
      ),
    ]);
  const token = fc.oneof(fc.constantFrom(...tokens), headerText);
  // Often there, they would be all that requests fail by.
  const rarely = (...texts: string[]) =>
    fc.oneof({ weight: 11, arbitrary: fc.constant(undefined) }, fc.constantFrom(...texts));
  const headers = fc.record(
    {
      ...Object.fromEntries(known),
      'x-portal-access-token': token,
      cookie: headerText.map((text) => `portal_admin=${text}`),
      origin: fc.constantFrom('https://elsewhere.example', 'null', ''),
      'sec-fetch-site': fc.constantFrom('cross-site', 'same-site', 'none'),
      accept: headerText,
      range: fc.constantFrom('bytes=0-1', 'bytes=-', 'x'),
      'if-none-match': fc.constantFrom('*', '"x"'),
      'content-encoding': rarely('gzip', 'identity', 'br'),
      'x-http-method-override': fc.constantFrom('DELETE', 'PATCH'),
    },
    { requiredKeys: [] },
  );
  return headers.map((all) => withoutUndefined(all) as Record<string, string>);
}

/** How a value stands in a path or query: escaped, or as it is where a client may write it so. */
function escaped(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  // A lone surrogate cannot be written at all.
  return encodeURIComponent(text.slice(0, 4_000).replaceAll(/[\ud800-\udfff]/g, '?'));
}

/** Requests of an operation, as the contract has them and otherwise. */
export function requestsOf(operation: TestedOperation, tokens: string[]): fc.Arbitrary<HttpRequest> {
  const { definition, method, path } = operation;
  const parameters: Node[] = [...(contract.paths[path].parameters ?? []), ...(definition.parameters ?? [])].map(
    resolve,
  );
  const inPath = parameters.filter(({ in: place }) => place === 'path');
  const inQuery = parameters.filter(({ in: place }) => place === 'query');
  const filled = fc
    .tuple(...inPath.map(({ schema }) => nearly(schema).map(escaped)))
    .map((values) =>
      inPath.reduce<string>((text, { name }, index) => text.replace(`{${name}}`, () => values[index]!), path),
    );
  const query = fc
    .record(Object.fromEntries(inQuery.map(({ name, schema }) => [name, nearly(schema).map(escaped)])), {
      requiredKeys: [],
    })
    .chain((known) =>
      fc
        .dictionary(headerText.map(escaped), headerText.map(escaped), { maxKeys: 2 })
        .map((more) => ({ ...more, ...known })),
    )
    .map((pairs) =>
      Object.entries(pairs)
        .map(([name, value]) => `${name}=${value}`)
        .join('&'),
    );
  const schema: Node = resolve(definition.requestBody)?.content['application/json'].schema;
  const body: fc.Arbitrary<unknown> = schema
    ? fc.oneof(
        { weight: 8, arbitrary: nearly(schema).map((value) => JSON.stringify(value)) },
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
        { weight: 1, arbitrary: nearly(schema).map((value) => JSON.stringify(value).slice(0, -1)) },
        { weight: 1, arbitrary: fc.constant(undefined) },
      )
    : fc.oneof(
        { weight: 3, arbitrary: fc.constant(undefined) },
        fc.jsonValue().map((value) => JSON.stringify(value)),
      );
  const type = fc.oneof(
    { weight: 20, arbitrary: fc.constant('application/json') },
    fc.constantFrom(
      'text/plain',
      'application/json; charset=utf-16',
      'application/json;charset="',
      'multipart/form-data',
      '',
    ),
  );
  return fc
    .record({ target: filled, query, headers: headersOf(parameters, tokens), body, type })
    .map(({ target, query: search, headers, body: content, type: contentType }) => ({
      method,
      path: search === '' ? target : `${target}?${search}`,
      headers: { ...headers, ...(content === undefined ? {} : { 'content-type': contentType }) },
      body: method === 'get' ? undefined : content,
    }));
}
