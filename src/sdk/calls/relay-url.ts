import { UsageError } from './errors.js';

/**
 * Reads a relay's URL: `https://host[:port]`, the scheme may be omitted.
 * @param mocks also accepts `http://` to this machine, since the contract's mock has no TLS
 * @throws UsageError for anything else: signatures are bound to the relay's authority, so a path is not allowed
 */
export function parseRelayUrl(text: string, { mocks = false } = {}): URL {
  let url: URL;
  try {
    url = new URL(text.includes('://') ? text : `https://${text}`);
  } catch {
    throw new UsageError(`not a relay URL: ${JSON.stringify(text)}`);
  }
  const isMock = mocks && url.protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname);
  if (url.protocol !== 'https:' && !isMock)
    throw new UsageError(`a relay URL begins with https://, not ${url.protocol}//`);
  if (url.username !== '' || url.password !== '') throw new UsageError('a relay URL carries no credentials');
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new UsageError(`a relay URL is https://host[:port] and nothing after it: ${JSON.stringify(text)}`);
  }
  return url;
}
