import { useState } from 'react';
import { signInWithWallet } from './session.js';

/** For who has no link, or one that is spent. */
export function SignIn({ fault, done }: { fault: string | undefined; done(): void }) {
  const [message, setMessage] = useState(fault);
  const signIn = () => {
    setMessage('Look at your wallet.');
    signInWithWallet().then(done, (error: Error) => setMessage(error.message || 'The wallet has refused.'));
  };
  return (
    <main className="center">
      <h1>Portal agent</h1>
      <p>
        Run <code>portal agent dashboard --web</code> on this machine and open the address that it prints. It works
        once.
      </p>
      <p>
        <button type="button" onClick={signIn}>
          Look with a wallet
        </button>
      </p>
      <p role="status">{message}</p>
    </main>
  );
}
