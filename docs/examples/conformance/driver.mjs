// Runs the TypeScript SDK for `portal conformance`: a task on standard input, events on standard output (docs/conformance.md).
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { ApiError, expose, identityFromPrivateKey } from 'portal-relay';

const print = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const input = createInterface({ input: process.stdin });
let tunnel;
input.once('line', (line) => {
  const { relay, ca_file: ca, name, private_key: key, target } = JSON.parse(line);
  const identity = identityFromPrivateKey(key);
  tunnel = expose({
    relay,
    ca: readFileSync(ca),
    name,
    identity,
    target,
    http: false,
    probe: false,
    closeGraceMs: 1_000,
  });
  tunnel.once('ready', () => print({ event: 'serving' }));
  tunnel.on('status', ({ state, message }) => console.error(state, message));
  void tunnel.closed.then(({ error }) => {
    if (error) print({ event: 'stopped', reason: error instanceof ApiError ? error.code : error.message });
    process.exit(0);
  });
});
input.once('close', () => tunnel?.close());
