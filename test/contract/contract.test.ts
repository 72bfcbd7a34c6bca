import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ApiError,
  failure,
  isDeclared,
  success,
  violationCode,
  type RequestBody,
  type SuccessData,
} from '../../src/contract/index.js';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

test('types of an operation come from the contract', () => {
  // Compiles only when each of these is true.
  const agree: [
    Same<SuccessData<'getHealth'>['status'], 'ok'>,
    Same<SuccessData<'registerLease'>['hostname'], string>,
    Same<SuccessData<'registerLease'>['sni_port'], number | undefined>,
    Same<SuccessData<'signHandshake'>['signature'], string>,
    'signature_scheme' extends keyof SuccessData<'signHandshake'> ? true : false,
    Same<SuccessData<'openReverseSession'>, never>,
    Same<RequestBody<'getHealth'>, never>,
    Same<RequestBody<'renewLease'>['access_token'], string | undefined>,
    Same<RequestBody<'createRegisterChallenge'>['udp_enabled'], boolean | undefined>,
  ] = [true, true, true, true, true, true, true, true, true];
  assert.ok(agree.every(Boolean));
});

test('an error response has status, retry and text of the catalogue, and nothing of its cause', () => {
  const error = new ApiError('rate_limited', undefined, { cause: new Error('secret') });
  assert.equal(error.status, 429);
  assert.equal(error.retry, 'after_delay');
  assert.equal(error.retryAfterSeconds, 5);
  assert.deepEqual(failure(error), { ok: false, error: { code: 'rate_limited', message: error.message } });
  assert.equal(new ApiError('feature_unavailable', 'no key', { status: 404 }).status, 404);
  assert.equal(new ApiError('rate_limited', undefined, { retryAfterSeconds: 2 }).retryAfterSeconds, 2);
});

test('a message longer than the contract allows is cut', () => {
  assert.equal(failure(new ApiError('internal', 'x'.repeat(5000))).error.message.length, 1024);
});

test('a success response has data and no error', () => {
  assert.deepEqual(success({ status: 'ok' }), { ok: true, data: { status: 'ok' } });
});

test('an invalid value is refused with the error code of its schema', () => {
  assert.equal(violationCode('createRegisterChallenge', '/body/identity/address'), 'invalid_address');
  assert.equal(violationCode('createRegisterChallenge', '/body/identity/name'), 'invalid_request');
  assert.equal(violationCode('setApprovalMode', '/body/mode'), 'invalid_mode');
  assert.equal(violationCode('banIp', '/params/ip'), 'invalid_ip');
  assert.equal(violationCode('banLease', '/params/addr'), 'invalid_address');
  assert.equal(violationCode('getHealth', '/query/toString'), 'invalid_request');
});

test('an operation fails only with errors that it declares', () => {
  assert.ok(isDeclared('signHandshake', new ApiError('feature_unavailable', undefined, { status: 404 })));
  assert.ok(!isDeclared('signHandshake', new ApiError('feature_unavailable')));
  assert.ok(!isDeclared('getHealth', new ApiError('ip_banned')));
});
