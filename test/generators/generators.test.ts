import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { installInto, installPython } from '../../scripts/install.js';
import { startResolvingProxy } from '../support/http-proxies.js';
import { portalMain, startRelayProcess } from '../support/processes.js';
import { runProgram } from '../support/programs.js';
import { freePort } from '../support/relay.js';
import { temporaryDirectory } from '../support/tunnel.js';

// Clients in several languages, made of the contract by the generators of these, lease a name from a relay. What they use of their
// languages is installed by the tools of these, into temporary folders or those tools' own caches.

const root = fileURLToPath(new URL('../../../', import.meta.url));
const contract = join(root, 'generated/openapi.clients.json');
const maxTypes = 120;
const maxLines = 60;
const buildTimeoutMs = 540_000;
const openapiGenerator = '7.17.0';

interface Generated {
  /** The program that leases, with its first arguments. */
  command: string[];
  /** How many types there are. */
  types: number;
  source: string;
}

interface Generator {
  name: string;
  /** The programs that it takes. */
  needs: string[];
  generate(folder: string): Promise<Generated>;
  /** What the program is told: by default the relay's URL, the file of its CA, and the name. */
  told?(relay: { url: string; caFile: string; proxyPort: number }, name: string): string[];
}

const generators: Generator[] = [
  {
    name: 'hey-api',
    needs: ['npm'],
    async generate(folder) {
      const sdk = join(root, 'dist/portal-sdk');
      await installInto(folder, '@hey-api/openapi-ts@0.95.0', 'typescript@5.9', '@types/node@22', 'ethers@6', sdk);
      const bin = (name: string) => join(folder, 'node_modules/.bin', name);
      const output = { path: 'client', importFileExtension: '.js' };
      const plugins = ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'];
      const config = `export default ${JSON.stringify({ input: contract, output, plugins })};\n`;
      writeFileSync(join(folder, 'openapi-ts.config.mjs'), config);
      await must(folder, bin('openapi-ts'));
      const source = example(folder, 'typescript/lease.ts', 'lease.ts');
      writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}\n');
      const options = ['--strict', '--module', 'nodenext', '--target', 'es2023', '--skipLibCheck'];
      await must(folder, bin('tsc'), ...options, 'lease.ts');
      const text = readFileSync(join(folder, 'client/types.gen.ts'), 'utf8');
      // Beside them there are types of each operation's parts.
      const types = [...text.matchAll(/^export type (\w+) = /gm)].filter(([, name]) => isOfSchema(name!)).length;
      return { command: [process.execPath, join(folder, 'lease.js')], types, source };
    },
  },
  {
    name: 'openapi-python-client',
    needs: ['python3'],
    async generate(folder) {
      const environment = join(folder, 'python');
      await installPython(environment, 'openapi-python-client==0.29.*', 'eth-account==0.13.*');
      const generate = [
        'generate',
        '--path',
        contract,
        '--output-path',
        join(folder, 'portal_client'),
        '--meta',
        'none',
      ];
      await must(folder, join(environment, 'bin/openapi-python-client'), ...generate);
      const source = example(folder, 'python/lease.py', 'lease.py');
      const models = readdirSync(join(folder, 'portal_client/models')).filter((file) => file !== '__init__.py');
      return {
        command: [join(environment, 'bin/python'), '-B', join(folder, 'lease.py')],
        types: models.length,
        source,
      };
    },
  },
  {
    name: 'oapi-codegen',
    needs: ['go'],
    async generate(folder) {
      const source = example(folder, 'go/main.go', 'main.go');
      mkdirSync(join(folder, 'portal'));
      await must(folder, 'go', 'mod', 'init', 'example.com/lease');
      const tool = 'github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.0';
      const generate = ['-package', 'portal', '-generate', 'types,client', '-o', 'portal/portal.go', contract];
      await must(folder, 'go', 'run', tool, ...generate);
      await must(folder, 'go', 'mod', 'tidy');
      await must(folder, 'go', 'build', '-o', 'lease', '.');
      const text = readFileSync(join(folder, 'portal/portal.go'), 'utf8');
      const names = [...text.matchAll(/^type (\w+) (?:struct|string|=)/gm)].map(([, name]) => name!);
      return { command: [join(folder, 'lease')], types: names.filter(isOfSchema).length, source };
    },
    told: ({ url }, name) => [url, name],
  },
  {
    name: 'openapi-generator, Java',
    needs: ['java', 'mvn'],
    async generate(folder) {
      cpSync(join(root, 'docs/examples/java'), folder, { recursive: true });
      const classpath = ['dependency:build-classpath', '-Dmdep.outputFile=target/classpath'];
      await must(folder, 'mvn', '-q', '-B', 'compile', ...classpath, `-Dcontract=${contract}`);
      const path = `${join(folder, 'target/classes')}${delimiter}${readFileSync(join(folder, 'target/classpath'), 'utf8')}`;
      const source = readFileSync(join(folder, 'src/main/java/Lease.java'), 'utf8');
      const models = readdirSync(join(folder, 'target/generated-sources/openapi/src/main/java/portal/model'));
      return { command: ['java', '-cp', path], types: models.length, source };
    },
    told: ({ url, caFile, proxyPort }, name) => [
      ...['-Dhttps.proxyHost=127.0.0.1', `-Dhttps.proxyPort=${proxyPort}`, '-Dhttp.nonProxyHosts='],
      ...['Lease', url, caFile, name],
    ],
  },
  {
    name: 'openapi-generator, Rust',
    needs: ['java', 'mvn', 'cargo'],
    async generate(folder) {
      cpSync(join(root, 'docs/examples/rust'), folder, { recursive: true });
      const artifact = `org.openapitools:openapi-generator-cli:${openapiGenerator}:jar`;
      const copy = ['dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`];
      await must(folder, 'mvn', '-q', '-B', ...copy);
      const generate = ['generate', '-i', contract, '-g', 'rust', '-o', 'portal_client'];
      const jar = join(folder, `openapi-generator-cli-${openapiGenerator}.jar`);
      const named = ['--additional-properties=packageName=portal_client'];
      await must(folder, 'java', '-jar', jar, ...generate, ...named);
      await must(folder, 'cargo', 'build', '--quiet');
      const models = readdirSync(join(folder, 'portal_client/src/models')).filter((file) => file !== 'mod.rs');
      const source = readFileSync(join(folder, 'src/main.rs'), 'utf8');
      return { command: [join(folder, 'target/debug/lease')], types: models.length, source };
    },
  },
];

for (const { name, needs, generate, told } of generators) {
  test(`${name}: a client made of the contract leases, renews and gives back`, async (t) => {
    const missing = needs.find((program) => !isInPath(program));
    if (missing !== undefined) return t.skip(`there is no ${missing} on this machine`);
    const { command, types, source } = await generate(temporaryDirectory(t));
    assert.ok(types > 20 && types < maxTypes, `${types} types`);
    const lines = source.split('\n').filter((line) => !/^\s*(?:$|\/\/|#|\/?\*)/.test(line)).length;
    assert.ok(lines < maxLines, `${lines} lines`);

    const [dir, port] = [temporaryDirectory(t), await freePort()];
    await startRelayProcess(t, dir, port);
    // The resolvers of most languages do not know names under localhost.
    const proxy = await startResolvingProxy(t);
    const relay = {
      url: `https://portal.localhost:${port}`,
      caFile: join(dir, 'development-ca.pem'),
      proxyPort: proxy.port,
    };
    const args = told ? told(relay, 'generated') : [relay.url, relay.caFile, 'generated'];
    const { code, stdout, stderr } = await runProgram(command[0]!, [...command.slice(1), ...args], {
      timeoutMs: 120_000,
      env: { ...process.env, HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, SSL_CERT_FILE: relay.caFile },
    });
    const said = stdout.toString();
    assert.equal(code, 0, `${said}${stderr}`);
    assert.match(said, /^leased generated\.portal\.localhost until 20.*\nrenewed until 20.*\ngiven back\n/m);
    assert.match(said, /^renewed once more: .*lease_?not_?found/im);
    t.diagnostic(`${types} types, ${lines} lines`);
  });
}

test('a tunnel in Java, with the generated client, meets level 1 of the conformance kit', async (t) => {
  const missing = ['java', 'mvn'].find((program) => !isInPath(program));
  if (missing !== undefined) return t.skip(`there is no ${missing} on this machine`);
  const { command } = await generators.find(({ name }) => name.endsWith('Java'))!.generate(temporaryDirectory(t));
  // Compiling to the last takes longer than the scenarios.
  const driver = [command[0], '-XX:TieredStopAtLevel=1', ...command.slice(1), 'Tunnel'].join(' ');
  const kit = ['conformance', '--level', '1', '--at-once', '3', '--command', driver];
  const { code, stdout, stderr } = await runProgram(process.execPath, [portalMain, ...kit], {
    timeoutMs: buildTimeoutMs,
  });
  assert.equal(code, 0, `${stdout}${stderr}`);
  assert.match(stdout.toString(), /17 requirements met, 0 not; level 1/);
});

/** Whether a type is of a schema, and not of one part of an operation. */
function isOfSchema(name: string): boolean {
  const schemas = (JSON.parse(readFileSync(contract, 'utf8')) as { components: { schemas: object } }).components
    .schemas;
  return (
    Object.keys(schemas).some((schema) => name.startsWith(schema)) &&
    !/Params|Body|Response|Data$|Errors?$/.test(name.replace(/Error$/, ''))
  );
}

/** Copies an example. @returns its text */
function example(folder: string, from: string, to: string): string {
  const text = readFileSync(join(root, 'docs/examples', from), 'utf8');
  mkdirSync(dirname(join(folder, to)), { recursive: true });
  writeFileSync(join(folder, to), text);
  return text;
}

/** @throws Error with what the program said */
async function must(cwd: string, program: string, ...args: string[]): Promise<void> {
  const { code, stdout, stderr } = await runProgram(program, args, { cwd, timeoutMs: buildTimeoutMs });
  if (code !== 0)
    throw new Error(`${program} ${args[0] ?? ''} ended with ${code}: ${`${stdout}${stderr}`.slice(-2000)}`);
}

function isInPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((path) => path !== '' && existsSync(join(path, program)));
}
