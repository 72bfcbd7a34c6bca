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
    let [wasLost, isOver] = [false, false];
    let source: EventSource;
    let gathering: number | undefined;
    let retry: number | undefined;
    const loadAnew = () => {
      gathering ??= setTimeout(() => {
        gathering = undefined;
        void refresh([...governed, '/admin/overview']);
      }, gatherMs);
    };
    const open = () => {
      source = new EventSource(`${base}/admin/events`);
      source.addEventListener('open', () => {
        setLive(true);
        // Whatever happened meanwhile was not told.
        if (wasLost) loadAnew();
        wasLost = false;
      });
      source.addEventListener('error', () => {
        setLive(false);
        wasLost = true;
        // The browser tries again by itself, unless it was refused.
        if (source.readyState !== EventSource.CLOSED || isOver) return;
        void refresh();
        retry = setTimeout(open, retryMs);
      });
      source.addEventListener('sample', ({ data }: MessageEvent<string>) => addSample(JSON.parse(data) as Sample));
      source.addEventListener('decision', loadAnew);
      source.addEventListener('missed', loadAnew);
    };
    open();
    return () => {
      isOver = true;
      clearTimeout(gathering);
      clearTimeout(retry);
      source.close();
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
