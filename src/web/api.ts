import { QueryClient } from '@tanstack/react-query';
import createFetchClient from 'openapi-fetch';
import createQueryClient from 'openapi-react-query';
import type { components, paths } from '../../generated/api.js';
import { words } from './words.js';

export type Schemas = components['schemas'];
export type Lease = Schemas['ListedLease'];
export type Sample = Schemas['Sample'];
export type AuditEntry = Schemas['AuditEntry'];

/** Where the relay is: the console may be under the path of a proxy. */
export const base = new URL('.', location.href).href.replace(/\/$/, '');

/** A refusal by its code, or `network` when there was no answer. */
export class CallError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** What to tell the reader. */
export function tell(error: unknown): string {
  if (!(error instanceof CallError)) return words.error.network;
  const known = words.error[error.code as keyof typeof words.error];
  return typeof known === 'string' ? known : words.error.other(error.message.slice(0, 200));
}

const listeners = new Set<() => void>();

/** Called when the relay says that nobody is signed in. */
export function onSignedOut(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Every operation of the contract. It throws a `CallError` for whatever is no success. */
export const client = createFetchClient<paths>({ baseUrl: base, credentials: 'same-origin' });
client.use({
  async onResponse({ request, response }) {
    if (response.ok) return;
    const { code, message } = await refusalIn(response);
    if (code === 'unauthorized' && !request.url.endsWith('/admin/auth/login'))
      for (const listener of listeners) listener();
    throw new CallError(code, message);
  },
  onError() {
    return new CallError('network', words.error.network);
  },
});

async function refusalIn(response: Response): Promise<{ code: string; message: string }> {
  try {
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    return { code: String(error.code), message: String(error.message) };
  } catch {
    return { code: 'internal', message: `HTTP ${response.status}` };
  }
}

export const api = createQueryClient(client);

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (count, error) =>
        error instanceof CallError && ['network', 'rate_limited', 'internal'].includes(error.code) && count < 2,
      staleTime: 1_000,
      placeholderData: (before: unknown) => before,
    },
  },
});

/** A query of an answer whose envelope is taken off. */
export interface DataQuery<Data> {
  data: Data | undefined;
  error: unknown;
  /** Milliseconds since the epoch. */
  dataUpdatedAt: number;
  refetch(): unknown;
}

export function unwrapped<Data>({ data, ...query }: DataQuery<{ data: Data }>): DataQuery<Data> {
  return { ...query, data: data?.data };
}
