import { useInfiniteQuery } from '@tanstack/react-query';
import { useDeferredValue, useState } from 'react';
import { type AuditEntry, client, tell } from '../api.js';
import { short, time } from '../format.js';
import { SearchBox } from '../parts/search-box.js';
import { Loaded } from '../parts/state.js';
import { toast } from '../parts/toasts.js';
import { useParams } from '../url.js';
import { words } from '../words.js';

const text = words.audit;
const partSize = 100;
const exportPart = 500;

async function readPart(search: string, before: number | undefined, limit: number) {
  const { data } = await client.GET('/admin/audit', {
    params: { query: { ...(search && { search }), ...(before && { before }), limit } },
  });
  return data!.data;
}

export function Audit() {
  const [params] = useParams();
  const search = useDeferredValue(params['q'] ?? '');
  const query = useInfiniteQuery({
    queryKey: ['get', '/admin/audit', 'in parts', search],
    queryFn: ({ pageParam }) => readPart(search, pageParam, partSize),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (part) => part.next_before,
  });
  return (
    <>
      <h1>{words.pages.audit}</h1>
      <div className="filters" role="search">
        <SearchBox />
        <Export search={search} />
      </div>
      <Loaded query={query}>
        {({ pages }) => {
          const entries = pages.flatMap((part) => part.entries);
          return (
            <>
              {entries.length > 0 ? (
                <Entries entries={entries} />
              ) : (
                <p>{query.hasNextPage ? text.noneYet : text.none}</p>
              )}
              {query.hasNextPage && (
                <button type="button" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                  {text.older}
                </button>
              )}
            </>
          );
        }}
      </Loaded>
    </>
  );
}

export function Entries({ entries, isShort = false }: { entries: readonly AuditEntry[]; isShort?: boolean }) {
  return (
    <div className="scroll" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">{text.time}</th>
            <th scope="col">{text.who}</th>
            <th scope="col">{text.what}</th>
            {!isShort && <th scope="col">{text.target}</th>}
            <th scope="col">{text.result}</th>
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={entry.seq}>
              <td>{time(entry.time)}</td>
              <td title={entry.wallet}>
                {entry.wallet === undefined ? text.nobody : short(entry.wallet)}{' '}
                <small className="soft">{entry.ip}</small>
              </td>
              <td>
                {words.actions[entry.action] ?? entry.action}{' '}
                {entry.value && Object.keys(entry.value).length > 0 && <code>{JSON.stringify(entry.value)}</code>}
              </td>
              {!isShort && (
                <td>
                  <bdi>{entry.target}</bdi>
                </td>
              )}
              <td>
                <span className={entry.result === 'done' ? 'badge good' : 'badge bad'}>{text[entry.result]}</span>{' '}
                <small>{entry.reason}</small>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** All that matches, a line each, as the log itself has it. */
function Export({ search }: { search: string }) {
  const [count, setCount] = useState<number>();
  const run = async () => {
    const lines: string[] = [];
    try {
      for (let before: number | undefined, isFirst = true; isFirst || before !== undefined; isFirst = false) {
        const part = await readPart(search, before, exportPart);
        for (const entry of part.entries) lines.push(`${JSON.stringify(entry)}\n`);
        before = part.next_before;
        setCount(lines.length);
      }
      const url = URL.createObjectURL(new Blob(lines, { type: 'application/jsonl' }));
      Object.assign(document.createElement('a'), { href: url, download: 'audit.jsonl' }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    } catch (error) {
      toast(tell(error), { isFault: true });
    } finally {
      setCount(undefined);
    }
  };
  return (
    <button type="button" disabled={count !== undefined} onClick={() => void run()}>
      {count === undefined ? text.export : text.exporting(count)}
    </button>
  );
}
