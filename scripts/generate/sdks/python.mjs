import { snakeCase, wrap } from './model.mjs';

/** The contract as one Python module: dataclasses, a method for each operation, the error catalogue. */
export function renderPython({ types, operations, errors }, notice) {
  const enums = types.filter((type) => type.values);
  const objects = types.filter((type) => type.fields);
  return `"""The contract of a relay as Python types. ${notice}"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

T = TypeVar("T")

Retry = Literal["never", "after_delay", "reauthenticate", "new_connection"]

ErrorCode = Literal[
${errors.map(({ code }) => `    "${code}",`).join('\n')}
]


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """What the contract says of an error code."""

    status: int
    meaning: str
    retry: Retry
    retry_after_seconds: int | None
    action: str


ERROR_CATALOGUE: dict[str, CatalogueEntry] = {
${errors.map(renderError).join('\n')}
}
"""Every error code of the contract."""

${enums.map(renderEnum).join('\n')}

${objects.map(renderObject).join('\n\n')}


class Operations(Protocol):
    """Every operation of the contract that answers with an envelope. Each returns its \`\`data\`\`, and raises otherwise."""

    async def call(
        self,
        answer: type[T],
        method: str,
        path: str,
        *,
        body: object = None,
        query: dict[str, str] | None = None,
        access_token: str | None = None,
    ) -> T:
        """Sends one request. ''path'' is encoded already."""
        ...

    @staticmethod
    def segment(value: str) -> str:
        """A value as one segment of a path."""
        ...

${operations.map(renderOperation).join('\n\n')}
`.replaceAll("''path''", '``path``');
}

const literal = (value) => (value === undefined || value === null ? 'None' : JSON.stringify(value));

function renderError({ code, status, meaning, retry, retry_after_seconds: after, action }) {
  const values = [status, literal(meaning), literal(retry), literal(after), literal(action)];
  return `    "${code}": CatalogueEntry(\n${values.map((value) => `        ${value},`).join('\n')}\n    ),`;
}

function renderEnum({ name, values }) {
  return `${name} = Literal[${values.map(literal).join(', ')}]`;
}

function renderObject({ name, doc, fields }) {
  const ordered = [...fields.filter(({ required }) => required), ...fields.filter(({ required }) => !required)];
  const lines = ordered.flatMap(({ name: field, type, required, doc: text }) => [
    `    ${field}: ${typeName(type)}${required ? '' : ' | None = None'}`,
    ...(text === '' ? [] : [docString(text, '    ')]),
  ]);
  const intro = doc === '' ? [] : [docString(doc, '    '), ''];
  const body = [...intro, ...lines];
  return `@dataclass(frozen=True, slots=True, kw_only=True)\nclass ${name}:\n${body.length > 0 ? body.join('\n') : '    pass'}\n`;
}

function docString(text, indent) {
  const lines = wrap(text.replaceAll('\\', '\\\\').replaceAll('`', '``'), 110);
  return `${indent}"""${lines.join(`\n${indent}`)}"""`;
}

function typeName(type) {
  switch (type.kind) {
    case 'string':
      return 'str';
    case 'integer':
      return 'int';
    case 'number':
      return 'float';
    case 'boolean':
      return 'bool';
    case 'list':
      return `list[${typeName(type.of)}]`;
    case 'named':
      return type.name;
    default:
      return 'Any';
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
  const parameters = [
    'self',
    ...pathParameters.map((name) => `${name}: str`),
    ...queryParameters.map((name) => `${name}: str`),
    ...(body ? [`body: ${typeName(body)}`] : []),
    ...(needsToken ? ['*', 'access_token: str'] : []),
  ];
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name) => `{self.segment(${name})}`);
  const query = queryParameters.map((name) => `"${name}": ${name}`).join(', ');
  const given = [
    typeName(answer),
    `"${method}"`,
    `${filled === path ? '' : 'f'}"${filled}"`,
    ...(body ? ['body=body'] : []),
    ...(query === '' ? [] : [`query={${query}}`]),
    ...(needsToken ? ['access_token=access_token'] : []),
  ];
  const about = [
    `${summary}.`,
    ...(parameterDocs.length > 0 ? [''] : []),
    ...parameterDocs.flatMap(({ name, doc }) => wrap(`:param ${name}: ${doc}`, 100)),
  ];
  const closing = about.length > 1 ? '\n        ' : '';
  const docs = `        """${about.join('\n        ').replaceAll('`', '``')}${closing}"""`.replaceAll(/ +$/gm, '');
  return `    async def ${snakeCase(id)}(${parameters.join(', ')}) -> ${typeName(answer)}:
${docs}
        return await self.call(${given.join(', ')})`;
}
