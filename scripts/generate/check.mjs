import { catalogueOf, codesOf, operationsOf, resolve, responsesOf } from './document.mjs';
import { violationsOf } from './violations.mjs';

/**
 * What the linter cannot know: that errors, their examples and the catalogue agree.
 * @param hasCatalogue whether each error code is one of this contract's operations; another contract may have more
 * @returns {string[]} one line for each fault
 */
export function checkContract(document, { hasCatalogue = true } = {}) {
  return [
    ...(hasCatalogue ? checkCatalogue(document) : []),
    ...operationsOf(document).flatMap((operation) => checkOperation(document, operation)),
  ];
}

function checkCatalogue(document) {
  const problems = [];
  const catalogue = catalogueOf(document);
  const named = document.components.schemas.ErrorCode.enum;
  for (const code of named) if (!catalogue[code]) problems.push(`${code} is not in the catalogue`);
  for (const code of Object.keys(catalogue))
    if (!named.includes(code)) problems.push(`${code} is only in the catalogue`);

  const used = new Set(codesOf(document, document.components.responses.MethodNotAllowed));
  for (const operation of operationsOf(document))
    for (const { response } of responsesOf(document, operation))
      for (const code of codesOf(document, response)) used.add(code);
  for (const code of named) if (!used.has(code)) problems.push(`${code} is given by no operation`);
  return problems;
}

function checkOperation(document, operation) {
  const problems = [];
  const complain = (status, text) => problems.push(`${operation.operationId} ${status}: ${text}`);
  const declared = new Set();
  for (const { status, response } of responsesOf(document, operation)) {
    const json = response.content?.['application/json'];
    const names = Object.keys(json?.examples ?? {});
    if (status < 400) {
      if (json && names.length === 0) complain(status, 'no named example');
      continue;
    }
    const codes = codesOf(document, response);
    if (codes.length === 0) complain(status, 'names no code');
    if (codes.join() !== names.join()) complain(status, `codes ${codes} but examples ${names}`);
    for (const code of codes) {
      declared.add(code);
      const { status: usual, other_statuses: others = [] } = catalogueOf(document)[code] ?? {};
      if (status !== usual && !others.includes(status))
        complain(status, `${code} does not have this status in the catalogue`);
      const example = resolve(document, json.examples?.[code])?.value;
      if (example?.error?.code !== code) complain(status, `example ${code} shows ${example?.error?.code}`);
    }
  }
  for (const [place, code] of Object.entries(violationsOf(document, operation)))
    if (!declared.has(code)) complain('', `${place} is refused with ${code}, which is not declared`);
  return problems;
}
