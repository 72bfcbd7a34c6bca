import type { ReactNode } from 'react';
import { tell } from '../api.js';
import { words } from '../words.js';

/** A part of a page that is loaded: it, or why it is not there. What was loaded before stays, with the fault above it. */
export function Loaded<Data>({
  query,
  children,
}: {
  query: { data: Data | undefined; error: unknown; refetch(): unknown };
  children(data: Data): ReactNode;
}) {
  const fault = query.error ? (
    <p className="fault" role="alert">
      {tell(query.error)}{' '}
      <button type="button" onClick={() => void query.refetch()}>
        {words.retry}
      </button>
    </p>
  ) : null;
  if (query.data === undefined) return fault ?? <p className="soft">{words.loading}</p>;
  return (
    <>
      {fault}
      {children(query.data)}
    </>
  );
}
