import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { AgentStore } from '../../agent/client/agent-store.js';
import { Dashboard } from './dashboard.js';
import { currentSession, findWallets, redeemLink, type Session, signOut } from './session.js';
import { SignIn } from './sign-in.js';
import './style.css';

findWallets();

/** What the page is, once it is known who looks at it. */
function Page({ fault }: { fault: string | undefined }) {
  const [session, setSession] = useState<Session | null>();
  const look = () => {
    currentSession().then(
      (found) => setSession(found ?? null),
      () => setSession(null),
    );
  };
  useEffect(look, []);
  if (session === undefined) return <p className="center">Asking the agent …</p>;
  if (session === null) return <SignIn fault={fault} done={look} />;
  const leave = () => {
    signOut().then(
      () => setSession(null),
      () => setSession(null),
    );
  };
  return <Followed session={session} leave={leave} />;
}

function Followed({ session, leave }: { session: Session; leave(): void }) {
  const [store, setStore] = useState<AgentStore>();
  useEffect(() => {
    const made = new AgentStore(async () => session.client);
    setStore(made);
    made.run().catch(() => undefined);
    return () => made.stop();
  }, [session]);
  if (!store) return null;
  return <Dashboard store={store} isOwner={session.isOwner} leave={leave} />;
}

const fault = await redeemLink().catch(() => 'The agent does not answer.');
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <Page fault={fault} />
  </StrictMode>,
);
