// npm run contract:compare [-- RELEASED [CURRENT]]
// Holds each contract against the last one released, and names what changed. Fails where a client of the released one would
// break, unless the contract's major version says so or `accepted.json` says why it does not; and where the contract changed under a
// version that was released.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compareContracts } from './compare/contracts.mjs';

const folder = fileURLToPath(new URL('../test/contract/released/', import.meta.url));
const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url));
const contracts = { openapi: path('generated/openapi.json'), agent: path('generated/agent/openapi.json') };
const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
const parts = (version) => version.split('.').map(Number);

/** The newest of the contracts that were released, kept as `NAME-VERSION.json`. @returns undefined when none was */
function lastReleased(name) {
  const newest = readdirSync(folder)
    .map((file) => /^([a-z]+)-(\d+\.\d+\.\d+)\.json$/.exec(file) ?? [])
    .filter(([, of]) => of === name)
    .map(([, , version]) => version)
    .sort((a, b) => {
      const [x, y] = [parts(a), parts(b)];
      return x[0] - y[0] || x[1] - y[1] || x[2] - y[2];
    })
    .at(-1);
  return newest && `${folder}${name}-${newest}.json`;
}

/** Changes that a program takes for breaking, and a person does not. */
const accepted = new Set(read(`${folder}accepted.json`).map(({ change }) => change));
const isAccepted = ({ where, what }) => accepted.has(`${where}: ${what}`);

const [released, current] = process.argv.slice(2);
if (released !== undefined) compare(released, current ?? contracts.openapi);
else for (const [name, file] of Object.entries(contracts)) compare(lastReleased(name), file);

function compare(released, current) {
  const after = read(current);
  if (released === undefined) return console.log(`${after.info.title} ${after.info.version}: none was released yet`);
  const before = read(released);
  const [was, is] = [before.info.version, after.info.version];
  const changes = compareContracts(before, after);
  const breaking = changes.filter((change) => change.breaking && !change.unstable && !isAccepted(change));

  const kindOf = (change) =>
    !change.breaking ? 'fine' : change.unstable ? 'unstable' : isAccepted(change) ? 'accepted' : 'BREAKING';
  for (const change of changes) console.log(`${kindOf(change).padEnd(8)}  ${change.where}: ${change.what}`);
  console.log(`contract ${is} beside ${was}: ${changes.length} changes, ${breaking.length} of them breaking`);

  if (changes.length > 0 && is === was) {
    console.error(`the contract changed: give it a version after ${was}`);
    process.exitCode = 1;
  }
  if (breaking.length > 0 && parts(is)[0] === parts(was)[0]) {
    console.error(`clients of ${was} would break: take it back, or make it version ${parts(was)[0] + 1}.0.0`);
    process.exitCode = 1;
  }
}
