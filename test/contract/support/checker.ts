import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { contract, resolve, type Node, type TestedOperation } from './document.js';
import type { HttpAnswer } from './http.js';

const contractId = 'contract';

/** Headers that mean something to a client and that no answer has unless the contract says so. */
const telling = ['set-cookie', 'allow', 'location', 'www-authenticate'];

/** Holds answers against the contract: status, headers, media type, body. */
export class AnswerChecker {
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: true });
  readonly #compiled = new Map<Node, ValidateFunction>();

  constructor() {
    (addFormats as unknown as (ajv: Ajv2020) => void)(this.#ajv);
    this.#ajv.addSchema({ $id: contractId, components: contract.components });
  }

  /** @returns what is wrong, a line each */
  faults(operation: TestedOperation, answer: HttpAnswer): string[] {
    const declared = operation.responses.find(({ status }) => status === answer.status);
    if (declared) return this.#faultsOf(declared.response, answer);
    return [`status ${answer.status} is not declared: ${answer.body.toString().slice(0, 200)}`];
  }

  /** For the answer that belongs to paths and not to operations. */
  faultsOfWrongMethod(answer: HttpAnswer): string[] {
    if (answer.status !== 405) return [`status ${answer.status}, not 405`];
    return this.#faultsOf(contract.components.responses.MethodNotAllowed, answer);
  }

  #faultsOf(response: Node, { headers, body }: HttpAnswer): string[] {
    const faults: string[] = [];
    const names = Object.keys(response.headers ?? {}).map((name) => name.toLowerCase());
    for (const name of telling)
      if (headers[name] !== undefined && !names.includes(name)) faults.push(`${name} is not declared`);
    for (const [name, node] of Object.entries<Node>(response.headers ?? {})) {
      const { required = false, schema } = resolve(node);
      const text = headers[name.toLowerCase()];
      if (text === undefined) {
        if (required) faults.push(`no ${name}`);
        continue;
      }
      const value = resolve(schema).type === 'integer' ? Number(text) : text;
      faults.push(...this.#violations(schema, value, name));
    }
    const types = Object.keys(response.content ?? {});
    const type = (headers['content-type'] ?? '').split(';')[0]!;
    if (types.length === 0) return body.length > 0 ? [...faults, 'a body where none is declared'] : faults;
    if (!types.includes(type)) return [...faults, `content type ${type}, not ${types.join(' or ')}`];
    if (type !== 'application/json') return faults;
    let value: unknown;
    try {
      value = JSON.parse(body.toString());
    } catch {
      return [...faults, `not JSON: ${body.toString().slice(0, 100)}`];
    }
    return [...faults, ...this.#violations(response.content[type].schema, value, 'body')];
  }

  #violations(schema: Node, value: unknown, where: string): string[] {
    let validate = this.#compiled.get(schema);
    if (!validate) {
      const text = JSON.stringify(schema).replaceAll('"$ref":"#/', `"$ref":"${contractId}#/`);
      validate = this.#ajv.compile(JSON.parse(text) as object);
      this.#compiled.set(schema, validate);
    }
    if (validate(value)) return [];
    return (validate.errors ?? []).map(({ instancePath, message }) => `${where}${instancePath} ${message}`);
  }
}
