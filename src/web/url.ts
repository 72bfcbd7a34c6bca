import { useCallback, useSyncExternalStore } from 'react';

/** What the page shows is in the query of its URL, so that it can be linked to, and Back works. */
const changed = new EventTarget();

function subscribe(listener: () => void): () => void {
  addEventListener('popstate', listener);
  changed.addEventListener('changed', listener);
  return () => {
    removeEventListener('popstate', listener);
    changed.removeEventListener('changed', listener);
  };
}

const search = () => location.search;

export type Params = Record<string, string | undefined>;

export function hrefOf(params: Params): string {
  const query = new URLSearchParams(Object.entries(params).filter((entry): entry is [string, string] => !!entry[1]));
  return query.size > 0 ? `?${query}` : location.pathname;
}

export function go(params: Params, { replace = false } = {}): void {
  const href = hrefOf(params);
  if (replace) history.replaceState(null, '', href);
  else history.pushState(null, '', href);
  changed.dispatchEvent(new Event('changed'));
}

/** @returns the parameters, and a function that changes some of them */
export function useParams(): [Params, (change: Params, options?: { replace?: boolean }) => void] {
  const params = Object.fromEntries(new URLSearchParams(useSyncExternalStore(subscribe, search)));
  const change = useCallback((some: Params, options?: { replace?: boolean }) => {
    go({ ...Object.fromEntries(new URLSearchParams(location.search)), ...some }, options);
  }, []);
  return [params, change];
}
