import { TlsAlertError } from '../codec/alerts.js';
import { extensionType } from '../codec/constants.js';
import { type ClientHello, type ServerHello } from '../codec/messages.js';

/**
 * What a client may change in its second ClientHello (RFC 8446 4.1.2); each is checked below or needs no check. A
 * client that uses ECH encrypts its inner hello again (RFC 9849 6.1.5).
 */
const changeable: ReadonlySet<number> = new Set([
  extensionType.keyShare,
  extensionType.earlyData,
  extensionType.cookie,
  extensionType.preSharedKey,
  extensionType.padding,
  extensionType.encryptedClientHello,
]);

/**
 * Throws `illegal_parameter` unless `second` is a valid response to the HelloRetryRequest `retry` after `first` (RFC
 * 8446 4.1.2): the same ClientHello except for the requested share, the cookie, removed early data, recomputed or
 * removed pre-shared keys, and padding. The order of extensions may differ: some clients shuffle them.
 */
export function checkRetriedClientHello(first: ClientHello, second: ClientHello, retry: ServerHello): void {
  if (!retry.isHelloRetryRequest) fail('the message between two ClientHellos is no HelloRetryRequest');
  if (
    first.legacyVersion !== second.legacyVersion ||
    !first.random.equals(second.random) ||
    !first.sessionId.equals(second.sessionId) ||
    !first.compressionMethods.equals(second.compressionMethods) ||
    first.cipherSuites.length !== second.cipherSuites.length ||
    first.cipherSuites.some((suite, index) => suite !== second.cipherSuites[index])
  ) {
    fail('the second ClientHello differs from the first');
  }
  checkUnchangedExtensions(first, second);
  checkKeyShare(first, second, retry);
  if (second.extensions.has(extensionType.earlyData)) fail('the second ClientHello offers early data');
  if (!sameBytes(second.extensions.get(extensionType.cookie), retry.extensions.get(extensionType.cookie))) {
    fail('the second ClientHello does not return the cookie it was given');
  }
  checkPreSharedKeys(first, second);
}

function checkUnchangedExtensions(first: ClientHello, second: ClientHello): void {
  for (const type of new Set([...first.extensionOrder, ...second.extensionOrder])) {
    if (changeable.has(type)) continue;
    if (!sameBytes(first.extensions.get(type), second.extensions.get(type))) {
      fail(`the second ClientHello changes extension ${type}`);
    }
  }
}

function checkKeyShare(first: ClientHello, second: ClientHello, retry: ServerHello): void {
  if (retry.keyShareGroup === undefined) {
    const type = extensionType.keyShare;
    if (!sameBytes(first.extensions.get(type), second.extensions.get(type))) {
      fail('the second ClientHello changes its key shares unasked');
    }
  } else if (second.keyShares?.size !== 1 || !second.keyShares.has(retry.keyShareGroup)) {
    fail('the second ClientHello has not the one key share asked for');
  }
}

/** Keys may be removed, but not added or reordered; ages and binders are new. */
function checkPreSharedKeys(first: ClientHello, second: ClientHello): void {
  let position = 0;
  const offered = first.preSharedKey?.identities ?? [];
  for (const { identity } of second.preSharedKey?.identities ?? []) {
    while (position < offered.length && !offered[position]?.identity.equals(identity)) position++;
    if (position++ >= offered.length) fail('the second ClientHello adds a pre-shared key');
  }
}

function sameBytes(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}

function fail(message: string): never {
  throw new TlsAlertError('illegal_parameter', message);
}
