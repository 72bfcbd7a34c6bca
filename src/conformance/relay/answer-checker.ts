import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { loadContract, type OpenApiDocument } from '../../contract/index.js';

const contractId = 'contract';

/** What is read of the contract's nodes. */
interface Node {
  $ref?: string;
  required?: boolean;
  schema?: Node;
  type?: string;
  headers?: Record<string, Node>;
  content?: Record<string, { schema: Node }>;
}

/** An answer as it came. */
export interface HttpAnswer {
  status: number;
  /** By lower-case names; those that came twice are joined. */
  headers: Record<string, string>;
  body: Buffer;
}

/** An operation by where it is in the contract. */
export interface AnsweredOperation {
  path: string;
  method: string;
}

/** Headers that mean something to a client and that no answer has unless the contract says so. */
const telling = ['set-cookie', 'allow', 'location', 'www-authenticate'];

/** Holds answers against the contract: status, headers, media type, body. */
export class AnswerChecker {
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: true });
  readonly #compiled = new Map<Node, ValidateFunction>();

  constructor(private readonly document: OpenApiDocument = loadContract()) {
    (addFormats as unknown as (ajv: Ajv2020) => void)(this.#ajv);
    this.#ajv.addSchema({ $id: contractId, components: document.components });
  }

  /** @returns what is wrong, a line each */
  faults({ path, method }: AnsweredOperation, answer: HttpAnswer): string[] {
    const operation = this.document.paths[path]?.[method] as { responses: Record<string, Node> } | undefined;
    const declared = operation?.responses[String(answer.status)];
    if (declared) return this.#faultsOf(this.#resolve(declared), answer);
    return [`status ${answer.status} is not declared: ${answer.body.toString().slice(0, 200)}`];
  }

  /** For the answer that belongs to paths and not to operations. */
  faultsOfWrongMethod(answer: HttpAnswer): string[] {
    if (answer.status !== 405) return [`status ${answer.status}, not 405`];
    return this.#faultsOf(this.document.components['responses']!['MethodNotAllowed'] as Node, answer);
  }

  #resolve(node: Node): Node {
    if (node.$ref === undefined) return node;
    const names = node.$ref.slice(2).split('/');
    const target = names.reduce<unknown>(
      (parent, name) => (parent as Record<string, unknown>)[name.replaceAll('~1', '/').replaceAll('~0', '~')],
      this.document,
    );
    return this.#resolve(target as Node);
  }

  #faultsOf(response: Node, { headers, body }: HttpAnswer): string[] {
    const faults: string[] = [];
    const names = Object.keys(response.headers ?? {}).map((name) => name.toLowerCase());
    for (const name of telling)
      if (headers[name] !== undefined && !names.includes(name)) faults.push(`${name} is not declared`);
    for (const [name, node] of Object.entries(response.headers ?? {})) {
      const { required = false, schema } = this.#resolve(node);
      const text = headers[name.toLowerCase()];
      if (text === undefined) {
        if (required) faults.push(`no ${name}`);
        continue;
      }
      const value = this.#resolve(schema ?? {}).type === 'integer' ? Number(text) : text;
      faults.push(...this.#violations(schema ?? {}, value, name));
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
    return [...faults, ...this.#violations(response.content?.[type]?.schema ?? {}, value, 'body')];
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
