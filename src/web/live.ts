import { useEffect, useState } from 'react';
import { api, base, queries, type Sample, type Schemas } from './api.js';

const maxSamples = 720;
export const overviewKey = api.queryOptions('get', '/admin/overview', {}).queryKey;

/** What an entry of the audit log may have changed. Each is loaded anew where it is shown. */
const governed = [
  '/admin/leases',
  '/admin/leases/{name}/{addr}',
  '/admin/identities',
  '/admin/ips',
  '/admin/audit',
  '/admin/sessions',
];

export async function refresh(paths: readonly string[] = governed): Promise<void> {
  await queries.invalidateQueries({ predicate: ({ queryKey }) => paths.includes(String(queryKey[1])) });
}

/** Decisions that come together are answered by one load. */
const gatherMs = 300;
/** A stream that the relay has refused is tried again so late. */
const retryMs = 5_000;

/** Follows the relay's events. @returns whether they come now */
export function useLive(): boolean {
  const [isLive, setLive] = useState(true);
  useEffect(() => {
    let wasLost = false;
    let source: EventSource | undefined;
    let gathering: number | undefined;
    let retry: number | undefined;
    const loadAnew = () => {
      gathering ??= setTimeout(() => {
        gathering = undefined;
        void refresh([...governed, '/admin/overview']);
      }, gatherMs);
    };
    const close = () => {
      clearTimeout(retry);
      source?.close();
      source = undefined;
      wasLost = true;
    };
    const open = () => {
      const opened = (source = new EventSource(`${base}/admin/events`));
      opened.addEventListener('open', () => {
        setLive(true);
        // Whatever happened meanwhile was not told.
        if (wasLost) loadAnew();
        wasLost = false;
      });
      opened.addEventListener('error', () => {
        if (source !== opened) return;
        setLive(false);
        wasLost = true;
        // The browser tries again by itself, unless it was refused.
        if (opened.readyState !== EventSource.CLOSED) return;
        void refresh();
        retry = setTimeout(open, retryMs);
      });
      opened.addEventListener('sample', ({ data }: MessageEvent<string>) => addSample(JSON.parse(data) as Sample));
      opened.addEventListener('decision', loadAnew);
      opened.addEventListener('missed', loadAnew);
    };
    // A browser opens six connections to a host: pages that nobody sees leave them to those that somebody does.
    const follow = () => {
      if (document.hidden) close();
      else if (source === undefined) open();
    };
    follow();
    document.addEventListener('visibilitychange', follow);
    return () => {
      document.removeEventListener('visibilitychange', follow);
      clearTimeout(gathering);
      close();
    };
  }, []);
  return isLive;
}

function addSample(sample: Sample): void {
  queries.setQueryData(overviewKey, (held: Schemas['OverviewAnswer'] | undefined) => {
    if (held === undefined || held.data.samples.at(-1)?.at === sample.at) return held;
    return { ...held, data: { ...held.data, samples: [...held.data.samples, sample].slice(-maxSamples) } };
  });
}
