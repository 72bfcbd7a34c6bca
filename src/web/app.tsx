import { type MouseEvent, useEffect, useState } from 'react';
import { base, client, onSignedOut, queries, tell, CallError } from './api.js';
import { short } from './format.js';
import { useLive } from './live.js';
import { Audit } from './pages/audit.js';
import { Decisions } from './pages/decisions.js';
import { Leases } from './pages/leases.js';
import { Overview } from './pages/overview.js';
import { People } from './pages/people.js';
import { Settings } from './pages/settings.js';
import { Dialog } from './parts/dialog.js';
import { toast, Toasts } from './parts/toasts.js';
import { SignIn } from './sign-in.js';
import { go, hrefOf, useParams } from './url.js';
import { followAccount, onAccountChanged } from './wallets.js';
import { words } from './words.js';

const pages = {
  overview: Overview,
  leases: Leases,
  decisions: Decisions,
  settings: Settings,
  audit: Audit,
  people: People,
};
type PageId = keyof typeof pages;
const isPage = (id: string | undefined): id is PageId => id !== undefined && Object.hasOwn(pages, id);

type Session = { wallet: string } | 'nobody' | { fault: string };

async function look(): Promise<Session> {
  try {
    const { data } = await client.GET('/admin/auth/status');
    const { authenticated, wallet_address: wallet } = data!.data;
    return authenticated && wallet !== undefined ? { wallet } : 'nobody';
  } catch (error) {
    return { fault: error instanceof CallError && error.code === 'feature_unavailable' ? words.off : tell(error) };
  }
}

/** The console, once it is known who looks at it. */
export function App() {
  const [session, setSession] = useState<Session>();
  useEffect(() => void look().then(setSession), []);
  if (session === undefined) return <p className="center soft">{words.loading}</p>;
  if (session === 'nobody')
    return (
      <main className="center">
        <SignIn lead={words.signIn.lead} onDone={() => void look().then(setSession)} />
      </main>
    );
  if ('fault' in session)
    return (
      <main className="center">
        <h1>{words.title}</h1>
        <p role="alert">{session.fault}</p>
        <button type="button" onClick={() => void look().then(setSession)}>
          {words.retry}
        </button>
      </main>
    );
  return (
    <Console wallet={session.wallet} onLeft={() => setSession('nobody')} onOther={() => void look().then(setSession)} />
  );
}

function Console({ wallet, onLeft, onOther }: { wallet: string; onLeft(): void; onOther(): void }) {
  const [params] = useParams();
  const current = isPage(params['page']) ? params['page'] : 'overview';
  const Page = pages[current];
  // The page stays as it is below the sign-in, with what was typed.
  const [hasEnded, setEnded] = useState<string>();
  useEffect(() => onSignedOut(() => setEnded(words.signIn.ended)), []);
  useEffect(() => followAccount(wallet), [wallet]);
  useEffect(() => onAccountChanged(() => setEnded(words.signIn.changed)), []);
  useEffect(() => {
    document.title = `${words.pages[current]} · ${words.title}`;
  }, [current]);
  const leave = async () => {
    try {
      await client.POST('/admin/logout');
    } catch (error) {
      if (!(error instanceof CallError && error.code === 'unauthorized')) return toast(tell(error), { isFault: true });
    }
    queries.clear();
    onLeft();
  };
  return (
    <div className="console">
      <a className="skip" href="#content">
        {words.skip}
      </a>
      <nav aria-label={words.title}>
        <strong>Portal</strong>
        <ul>
          {Object.entries(words.pages).map(([id, label]) => (
            <li key={id}>
              <a
                href={hrefOf({ page: id })}
                aria-current={id === current ? 'page' : undefined}
                onClick={(event: MouseEvent) => {
                  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
                  event.preventDefault();
                  go({ page: id });
                }}
              >
                {label}
              </a>
            </li>
          ))}
        </ul>
        <div className="who">
          <LiveNote key={hasEnded ?? ''} />
          <a href={`${base}/docs/operations`}>{words.documentation}</a>
          <span title={wallet}>{short(wallet)}</span>
          <button type="button" className="quiet" onClick={() => void leave()}>
            {words.signOut}
          </button>
        </div>
      </nav>
      <main id="content" tabIndex={-1}>
        <Page key={current} />
      </main>
      <Toasts />
      {hasEnded !== undefined && (
        <Dialog label={words.signIn.title}>
          <SignIn
            lead={hasEnded}
            onDone={() => {
              setEnded(undefined);
              onOther();
              void queries.invalidateQueries();
            }}
          />
        </Dialog>
      )}
    </div>
  );
}

function LiveNote() {
  const isLive = useLive();
  return (
    <span role="status" className={isLive ? 'live' : 'live lost'}>
      {isLive ? words.live : words.notLive}
    </span>
  );
}
