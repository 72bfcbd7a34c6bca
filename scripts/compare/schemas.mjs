import { resolve } from '../generate/document.mjs';

/**
 * A schema with its references followed and its `allOf` merged, one level deep.
 * @returns a plain object; `properties` may hold lists of schemas that all apply
 */
function flatten(document, schema) {
  const merged = {};
  const add = (node) => {
    const { allOf = [], $ref, ...own } = node;
    if ($ref) add(resolve(document, { $ref }));
    for (const part of allOf) add(part);
    for (const [key, value] of Object.entries(own)) {
      if (key === 'properties') {
        merged.properties ??= {};
        for (const [name, property] of Object.entries(value))
          merged.properties[name] = merged.properties[name] ? { allOf: [merged.properties[name], property] } : property;
      } else if (key === 'required') merged.required = [...new Set([...(merged.required ?? []), ...value])];
      else if (key === 'enum') merged.enum = merged.enum ? merged.enum.filter((word) => value.includes(word)) : value;
      else merged[key] = value;
    }
  };
  add(schema ?? {});
  return merged;
}

const typesOf = (schema) => [schema.type ?? []].flat();
const lowerBounds = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'];
const upperBounds = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'];

/**
 * What a schema allows now that it did not, and the other way round. For a request only `narrowed` breaks a client, for an answer
 * only `widened`.
 * @param before,after `{ document, schema }`
 * @returns {{ change: 'narrowed' | 'widened', where: string, what: string }[]}
 */
export function compareSchemas(before, after, where) {
  const [a, b] = [flatten(before.document, before.schema), flatten(after.document, after.schema)];
  const found = [];
  const note = (change, what, at = where) => found.push({ change, where: at, what });
  const compareSets = (name, from, to) => {
    if (from.length === 0 && to.length === 0) return;
    const [gone, come] = [from.filter((x) => !to.includes(x)), to.filter((x) => !from.includes(x))];
    if (from.length === 0) note('narrowed', `${name} is now only ${to.join(', ')}`);
    else if (to.length === 0) note('widened', `${name} is no longer only ${from.join(', ')}`);
    else {
      if (gone.length > 0) note('narrowed', `${name} no longer has ${gone.join(', ')}`);
      if (come.length > 0) note('widened', `${name} also has ${come.join(', ')}`);
    }
  };
  compareSets('type', typesOf(a), typesOf(b));
  const values = (schema) => (schema.const !== undefined ? [schema.const] : (schema.enum ?? []));
  compareSets('value', values(a), values(b));
  for (const key of lowerBounds) compareBound(key, a[key] ?? -Infinity, b[key] ?? -Infinity, note);
  for (const key of upperBounds) compareBound(key, -(a[key] ?? Infinity), -(b[key] ?? Infinity), note);
  for (const key of ['pattern', 'format']) {
    if (a[key] === b[key]) continue;
    // Which of two patterns takes more is not for a program to say.
    if (b[key] !== undefined) note('narrowed', `${key} is now ${b[key]}`);
    if (a[key] !== undefined) note('widened', `${key} is no longer ${a[key]}`);
  }
  const [wasRequired, isRequired] = [a.required ?? [], b.required ?? []];
  for (const name of isRequired) if (!wasRequired.includes(name)) note('narrowed', `${name} is now required`);
  for (const name of wasRequired) if (!isRequired.includes(name)) note('widened', `${name} is no longer required`);
  for (const [name, schema] of Object.entries(a.properties ?? {})) {
    const now = b.properties?.[name];
    // Objects are open, so a field that is gone may hold anything: nobody can go by it any more.
    if (now === undefined) note('widened', `${name} is gone`);
    else found.push(...compareSchemas({ ...before, schema }, { ...after, schema: now }, `${where}.${name}`));
  }
  if (a.items && b.items)
    found.push(...compareSchemas({ ...before, schema: a.items }, { ...after, schema: b.items }, `${where}[]`));
  for (const key of ['oneOf', 'anyOf']) {
    const [was, is] = [a[key] ?? [], b[key] ?? []];
    if (was.length > is.length) note('narrowed', `${was.length - is.length} of the alternatives are gone`);
    if (was.length < is.length) note('widened', `${is.length - was.length} alternatives more`);
    was.slice(0, is.length).forEach((schema, index) => {
      const pair = [
        { ...before, schema },
        { ...after, schema: is[index] },
      ];
      found.push(...compareSchemas(...pair, `${where}(${index + 1})`));
    });
  }
  return found;
}

/** Of a bound that forbids what is below it. */
function compareBound(key, before, after, note) {
  const said = (bound) => (Math.abs(bound) === Infinity ? 'none' : Math.abs(bound));
  if (after > before) note('narrowed', `${key} is ${said(after)}, was ${said(before)}`);
  if (after < before) note('widened', `${key} is ${said(after)}, was ${said(before)}`);
}
