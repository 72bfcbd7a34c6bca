import { catalogueOf, codesOf, operationsOf, resolve, responsesOf } from '../generate/document.mjs';
import { compareSchemas } from './schemas.mjs';

/**
 * What changed from one contract to a later one, as a client of the earlier meets it.
 * @returns {{ breaking: boolean, unstable: boolean, where: string, what: string }[]} `unstable`: the earlier contract had said
 * that this may change
 */
export function compareContracts(before, after) {
  const found = [];
  const later = new Map(operationsOf(after).map((operation) => [operation.operationId, operation]));
  for (const operation of operationsOf(before)) {
    const { operationId } = operation;
    const note = (breaking, what, where = operationId) =>
      found.push({ breaking, unstable: operation['x-stability'] === 'unstable', where, what });
    const now = later.get(operationId);
    later.delete(operationId);
    if (!now) note(true, 'is gone');
    else if (now.method !== operation.method || now.path !== operation.path)
      note(true, `is now ${now.method.toUpperCase()} ${now.path}`);
    else compareOperations({ before, after, was: operation, is: now, note });
  }
  for (const operationId of later.keys())
    found.push({ breaking: false, unstable: false, where: operationId, what: 'is new' });
  return [...found, ...compareCatalogues(catalogueOf(before), catalogueOf(after))];
}

function compareOperations({ before, after, was, is, note }) {
  const operationId = was.operationId;
  const compare = (from, to, breaks, where) => {
    const changes = compareSchemas({ document: before, schema: from }, { document: after, schema: to }, where);
    for (const { change, where: at, what } of changes) note(change === breaks, what, `${operationId} ${at}`);
  };

  for (const parameter of is.parameters) {
    const same = ({ name, in: place }) => name === parameter.name && place === parameter.in;
    const earlier = was.parameters.find(same);
    const where = `${parameter.in} ${parameter.name}`;
    if (parameter.required && !earlier?.required) note(true, 'is now required', `${operationId} ${where}`);
    if (!earlier && !parameter.required) note(false, 'is new', `${operationId} ${where}`);
    if (earlier) compare(earlier.schema, parameter.schema, 'narrowed', where);
  }
  for (const { name, in: place } of was.parameters)
    if (!is.parameters.some((parameter) => parameter.name === name && parameter.in === place))
      note(true, 'is gone', `${operationId} ${place} ${name}`);

  const [body, bodyNow] = [resolve(before, was.requestBody), resolve(after, is.requestBody)];
  if (bodyNow?.required && !body?.required) note(true, 'is now required', `${operationId} body`);
  if (body && !bodyNow) note(true, 'is gone', `${operationId} body`);
  for (const [type, { schema }] of Object.entries(body?.content ?? {})) {
    if (!bodyNow) continue;
    if (!bodyNow.content[type]) note(true, `no longer takes ${type}`, `${operationId} body`);
    else compare(schema, bodyNow.content[type].schema, 'narrowed', 'body');
  }

  compareCredentials(was.security ?? [], is.security ?? [], note);
  if (was['x-cors'] && !is['x-cors']) note(true, 'is closed to pages of other origins');
  compareAnswers({ before, after, was, is, note, compare });
}

/** A call that was let in by one of the alternatives must still be. */
function compareCredentials(was, is, note) {
  const names = (alternatives) => alternatives.map((alternative) => Object.keys(alternative).sort().join('+'));
  const [from, to] = [names(was), names(is)];
  if (from.length === 0 && to.length > 0 && !to.includes('')) note(true, 'now needs a credential');
  for (const name of from)
    if (to.length > 0 && !to.includes(name))
      note(true, name === '' ? 'now needs a credential' : `no longer takes ${name}`);
}

function compareAnswers({ before, after, was, is, note, compare }) {
  const { operationId } = was;
  const later = new Map(responsesOf(after, is).map(({ status, response }) => [status, response]));
  for (const { status, response } of responsesOf(before, was)) {
    const now = later.get(status);
    later.delete(status);
    const where = `${operationId} ${status}`;
    if (!now) {
      // An error less is nothing to a client.
      note(status < 400, 'is gone', where);
      continue;
    }
    for (const [name, header] of Object.entries(response.headers ?? {})) {
      const [had, has] = [resolve(before, header), resolve(after, now.headers?.[name])];
      if (!has || (had.required && !has.required)) note(true, `no longer promises ${name}`, where);
      else compare(had.schema, has.schema, 'widened', `${status} ${name}`);
    }
    for (const [type, { schema }] of Object.entries(response.content ?? {})) {
      if (!now.content?.[type]) note(true, `is no longer ${type}`, where);
      else if (status < 400) compare(schema, now.content[type].schema, 'widened', String(status));
    }
    const [codes, codesNow] = [codesOf(before, response), codesOf(after, now)];
    for (const code of codesNow) if (!codes.includes(code)) note(false, `may also be ${code}`, where);
    for (const code of codes) if (!codesNow.includes(code)) note(false, `is no longer ${code}`, where);
  }
  // Clients treat statuses that they do not know by their class.
  for (const status of later.keys()) note(status < 400, 'is new', `${operationId} ${status}`);
}

function compareCatalogues(before, after) {
  const found = [];
  const note = (breaking, where, what) => found.push({ breaking, unstable: false, where: `error ${where}`, what });
  for (const [code, entry] of Object.entries(before)) {
    const now = after[code];
    if (!now) note(true, code, 'is gone');
    else
      for (const key of ['status', 'retry'])
        if (now[key] !== entry[key]) note(true, code, `has ${key} ${now[key]}, had ${entry[key]}`);
  }
  for (const code of Object.keys(after)) if (!before[code]) note(false, code, 'is new');
  return found;
}
