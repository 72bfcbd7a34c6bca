import { freshWallet } from '../../support/by-hand.js';
import { leasePath } from '../../support/admin.js';
import { forLease, takesToken } from './bench.js';
import { type Cause, sendTo, untilRefused } from './cause.js';
import type { TestedOperation } from './document.js';
import type { HttpRequest } from './http.js';

// What the operator's wallets, decisions and settings bring about.

const bannedIp = '198.51.100.7';

/** Of a caller whose address is banned. */
const banned: Cause = async (bench, operation) => {
  await (await bench.admin('governed')).post(`/ips/${bannedIp}/ban`);
  const request = takesToken(operation)
    ? forLease(operation, await bench.lease('governed'))
    : await bench.grantable(operation, 'governed');
  return await sendTo(bench, operation, withHeader(request, 'x-forwarded-for', bannedIp), 'governed');
};

/** Of an identity that is denied once it has its lease, or its challenge. */
const rejected: Cause = async (bench, operation) => {
  const admin = await bench.admin('governed');
  const wallet = freshWallet();
  const name = bench.freshName();
  const deny = () => admin.post(leasePath({ name, address: wallet.address }, 'deny'));
  if (operation.operationId === 'createRegisterChallenge') {
    await deny();
    const { method, path } = operation;
    return await bench.send({ method, path, body: { identity: { name, address: wallet.address } } }, 'governed');
  }
  if (operation.operationId === 'registerLease') {
    const body = await bench.signedChallenge('governed', name, wallet);
    await deny();
    return await bench.send({ method: operation.method, path: operation.path, body }, 'governed');
  }
  const lease = await bench.lease('governed', { name, wallet });
  await deny();
  return await sendTo(bench, operation, forLease(operation, lease), 'governed');
};

/** A segment of the operation's path, by the name of its parameter, replaced by nonsense. */
const astray =
  (parameter: string, nonsense: string): Cause =>
  async (bench, operation) => {
    const request = await bench.grantable(operation, 'governed');
    const segments = request.path.split('/');
    segments[operation.path.split('/').indexOf(`{${parameter}}`)] = nonsense;
    return await bench.send({ ...request, path: segments.join('/') }, 'governed');
  };

const isAdmin = ({ definition }: TestedOperation) => (definition.tags as string[])[0] === 'admin';

/** By status and code, for every operation that it is said of. */
export function policyCause(operation: TestedOperation, answer: string): Cause | undefined {
  if (answer === '403 ip_banned') return banned;
  if (answer === '403 lease_rejected') return rejected;
  if (!isAdmin(operation)) return undefined;
  if (answer === '400 invalid_ip') return astray('ip', 'localhost');
  if (answer === '400 invalid_mode') return wrongMode;
  const isOfLease = operation.path.startsWith('/admin/leases/');
  if (answer === '400 invalid_address' && isOfLease) return astray('addr', 'bm9ib2R5');
  if (answer === '400 invalid_request' && isOfLease) return astray('name', 'bm8gbmFtZQ');
  if (answer === '400 invalid_request' && operation.path.startsWith('/admin/ips/')) return astray('ip', '%zz');
  if (answer === '401 unauthorized' && operation.operationId === 'loginAdmin') return wrongLogins;
  if (answer === '401 unauthorized' && operation.operationId === 'createAdminChallenge') return fromElsewhere;
  if (answer === '429 rate_limited' && operation.operationId === 'createAdminChallenge') return impatient;
  if (answer === '429 rate_limited' && operation.operationId === 'loginAdmin') return guessing;
  return undefined;
}

const wrongMode: Cause = async (bench, operation) => {
  const request = await bench.grantable(operation, 'governed');
  return await bench.send({ ...request, body: { mode: 'sometimes' } }, 'governed');
};

/** A spent challenge, another account's signature, and a wallet that is no admin's. */
const wrongLogins: Cause = async (bench, { method, path }) => {
  const body = await bench.signedLogin('governed');
  const first = await bench.send({ method, path, body }, 'governed');
  if (first.status !== 200) throw new Error(`not logged in: ${first.body.toString()}`);
  const fresh = await bench.signedLogin('governed');
  const forged = { ...fresh, siwe_signature: await freshWallet().signMessage(fresh.siwe_message) };
  return [
    await bench.send({ method, path, body }, 'governed'),
    await bench.send({ method, path, body: forged }, 'governed'),
  ];
};

const fromElsewhere: Cause = async (bench, operation) => {
  const request = await bench.grantable(operation, 'governed');
  return await bench.send(withHeader(request, 'origin', 'https://tenant.portal.localhost'), 'governed');
};

const impatient: Cause = async (bench, operation) => {
  const request = await bench.grantable(operation, 'besieged');
  return await untilRefused(() => bench.send(request, 'besieged'));
};

const guessing: Cause = async (bench, { method, path, request: { body } }) =>
  await untilRefused(() => bench.send({ method, path, body }, 'besieged'));

function withHeader(request: HttpRequest, name: string, value: string): HttpRequest {
  return { ...request, headers: { ...request.headers, [name]: value } };
}
