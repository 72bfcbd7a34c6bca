import openapiTS, { astToString } from 'openapi-typescript';

/** Types for openapi-fetch. A property with a default stays optional: the caller may leave it out, whatever the relay then assumes. */
export async function renderTypes(document) {
  return astToString(await openapiTS(JSON.stringify(document), { defaultNonNullable: false, silent: true }));
}
