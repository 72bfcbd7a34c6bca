import { resolve } from './document.mjs';

const placeOfParameters = { path: 'params', query: 'query', header: 'headers', cookie: 'cookies' };

/**
 * The values of a request that have a code of their own when they break their schema (`x-error-code`).
 * @returns {Record<string, string>} JSON pointer into `{ body, params, query, headers, cookies }` -> code
 */
export function violationsOf(document, operation) {
  const found = {};
  const visit = (node, pointer) => {
    for (let at = node; at; at = at.$ref ? resolve(document, { $ref: at.$ref }) : undefined) {
      if (at['x-error-code']) found[pointer] = at['x-error-code'];
      for (const branch of [...(at.allOf ?? []), ...(at.oneOf ?? []), ...(at.anyOf ?? [])]) visit(branch, pointer);
      for (const [name, property] of Object.entries(at.properties ?? {})) visit(property, `${pointer}/${name}`);
    }
  };
  for (const parameter of operation.parameters)
    visit(parameter.schema, `/${placeOfParameters[parameter.in]}/${parameter.name}`);
  visit(resolve(document, operation.requestBody)?.content?.['application/json']?.schema, '/body');
  return found;
}
