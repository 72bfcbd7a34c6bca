import { useParams } from '../url.js';
import { words } from '../words.js';

/** What is searched for is in the URL. */
export function SearchBox() {
  const [params, change] = useParams();
  return (
    <input
      type="search"
      aria-label={words.search}
      placeholder={words.search}
      maxLength={128}
      value={params['q'] ?? ''}
      onChange={(event) => change({ q: event.target.value }, { replace: true })}
    />
  );
}
