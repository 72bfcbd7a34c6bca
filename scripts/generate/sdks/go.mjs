import { wrap } from './model.mjs';

/** The contract as one Go file: structs, a method of Client for each operation, the error catalogue. */
export function renderGo({ types, operations, errors }) {
  return `// Code generated from openapi/ by npm run generate. DO NOT EDIT.

package portal

import (
	"context"
	"net/http"
	"net/url"
)

// ErrorCode is why a relay refused. There may be more of them than these: treat one that is not known by its status.
type ErrorCode string

// The error codes of the contract.
const (
${errors.map(({ code, meaning }) => `${comment(meaning, '\t')}\n\tCode${goName(code)} ErrorCode = "${code}"`).join('\n\n')}
)

// CatalogueEntry is what the contract says of an error code.
type CatalogueEntry struct {
	// Status is the usual HTTP status.
	Status int

	// Retry is what a client does: again, when, and how.
	Retry Retry

	// RetryAfterSeconds is how long to wait where the answer has no Retry-After; 0 where the contract names no time.
	RetryAfterSeconds int
}

// Catalogue has every error code of the contract.
var Catalogue = map[ErrorCode]CatalogueEntry{
${errors.map((e) => `	Code${goName(e.code)}: {${e.status}, ${retryName(e.retry)}, ${e.retry_after_seconds ?? 0}},`).join('\n\n')}
}

${types.map(renderType).join('\n\n')}

${operations.map(renderOperation).join('\n\n')}
`;
}

const retryName = (retry) => `Retry${goName(retry)}`;
const initialisms = new Set([
  'api',
  'bps',
  'http',
  'http11',
  'https',
  'id',
  'ip',
  'ips',
  'json',
  'sni',
  'siwe',
  'tcp',
  'tls',
  'ttl',
  'udp',
  'url',
  'utc',
]);

/** \`siwe_message\` -> \`SIWEMessage\`. */
function goName(name) {
  return name
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .split('_')
    .map((part) => (initialisms.has(part.toLowerCase()) ? part.toUpperCase() : part[0].toUpperCase() + part.slice(1)))
    .join('');
}

function comment(text, indent = '') {
  return wrap(text, 110)
    .map((line) => `${indent}// ${line}`)
    .join('\n');
}

function renderType(type) {
  const name = goName(type.name);
  const doc = comment(`${name}: ${type.doc || 'see the contract.'}`);
  if (type.values) {
    const values = type.values.map((value) => `\t${name}${goName(value.replaceAll(/\W/g, '_'))} ${name} = "${value}"`);
    return `${doc}\ntype ${name} string\n\n// The values of ${name}.\nconst (\n${values.join('\n\n')}\n)`;
  }
  const fields = type.fields.map((field) => {
    const pointer = isPointer(field, type) ? '*' : '';
    const tag = `\`json:"${field.name}${field.required ? '' : ',omitempty'}"\``;
    return `${field.doc === '' ? '' : `${comment(field.doc, '\t')}\n`}\t${goName(field.name)} ${pointer}${typeName(field.type)} ${tag}`;
  });
  return `${doc}\ntype ${name} struct${fields.length > 0 ? ` {\n${fields.join('\n\n')}\n}` : '{}'}`;
}

/** In requests a number or boolean that is not there differs from zero; an object that is not there always does. */
function isPointer({ required, type }, { inRequests }) {
  if (required) return false;
  return type.kind === 'named' || (inRequests && ['integer', 'number', 'boolean'].includes(type.kind));
}

function typeName(type) {
  switch (type.kind) {
    case 'string':
      return 'string';
    case 'integer':
      return 'int64';
    case 'number':
      return 'float64';
    case 'boolean':
      return 'bool';
    case 'list':
      return `[]${typeName(type.of)}`;
    case 'named':
      return goName(type.name);
    default:
      return 'map[string]any';
  }
}

function renderOperation({
  id,
  method,
  path,
  summary,
  needsToken,
  body,
  pathParameters,
  queryParameters,
  parameterDocs,
  answer,
}) {
  const name = goName(id);
  const parameters = [
    'ctx context.Context',
    ...(needsToken ? ['accessToken string'] : []),
    ...[...pathParameters, ...queryParameters].map((parameter) => `${parameter} string`),
    ...(body ? [`body ${typeName(body)}`] : []),
  ];
  const segments = path.split(/\{(\w+)\}/);
  const filled = segments
    .map((part, index) => (index % 2 === 0 ? part && `"${part}"` : `url.PathEscape(${part})`))
    .filter((part) => part !== '')
    .join(' + ');
  const query = queryParameters.map((parameter) => `"${parameter}": {${parameter}}`).join(', ');
  const request = [
    `method: http.Method${method[0]}${method.slice(1).toLowerCase()}`,
    `path: ${filled}`,
    ...(query === '' ? [] : [`query: url.Values{${query}}`]),
    ...(body ? ['body: body'] : []),
    ...(needsToken ? ['accessToken: accessToken'] : []),
  ].join(', ');
  const docs = [`${name}: ${summary}.`, ...parameterDocs.map(({ name: parameter, doc }) => `${parameter}: ${doc}`)];
  return `${docs.map((line) => comment(line)).join('\n//\n')}
func (c *Client) ${name}(${parameters.join(', ')}) (*${typeName(answer)}, error) {
	return send[${typeName(answer)}](ctx, c, request{${request}})
}`;
}
