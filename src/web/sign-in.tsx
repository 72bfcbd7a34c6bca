import { useState } from 'react';
import { CallError, tell } from './api.js';
import { askForChallenge, type Challenge, signIn, useWallets, type Wallet } from './wallets.js';
import { forgetSignInLink, type SignInLink, signInByLink, useSignInLink } from './sign-in-link.js';
import { words } from './words.js';

const text = words.signIn;

/**
 * Signs in with a wallet of the browser, whose message is shown before it is signed; or by a link with a message that
 * was signed elsewhere.
 */
export function SignIn({ lead, onDone }: { lead: string; onDone(): void }) {
  const wallets = useWallets();
  const link = useSignInLink();
  const [challenge, setChallenge] = useState<Challenge>();
  const [isBusy, setBusy] = useState(false);
  const [fault, setFault] = useState<string>();
  const attempt = async (task: () => Promise<void>, refusal = words.error.other) => {
    setFault(undefined);
    setBusy(true);
    try {
      await task();
    } catch (error) {
      // A wallet has its own errors.
      setFault(
        error instanceof CallError
          ? error.code === 'unauthorized'
            ? refusal(error.message)
            : tell(error)
          : text.refused,
      );
      setChallenge(undefined);
    } finally {
      setBusy(false);
    }
  };
  const choose = (wallet: Wallet) =>
    attempt(async () => {
      const found = await askForChallenge(wallet);
      if (found) setChallenge(found);
      else setFault(text.noAccount);
    });
  const sign = (signed: Challenge) =>
    attempt(async () => {
      await signIn(signed);
      onDone();
    });
  const byLink = (signed: SignInLink) =>
    attempt(async () => {
      await signInByLink(signed);
      onDone();
    }, text.linkRefused);
  return (
    <div className="sign-in">
      <h1>{text.title}</h1>
      <p>{lead}</p>
      {fault !== undefined && (
        <p className="fault" role="alert">
          {fault}
        </p>
      )}
      {link && (
        <Asked lead={text.signedMessage} message={link.siwe_message} onCancel={forgetSignInLink}>
          <button type="button" className="primary" disabled={isBusy} onClick={() => void byLink(link)}>
            {text.byLink}
          </button>
        </Asked>
      )}
      {!link && wallets.length === 0 && (
        <>
          <p>
            <strong>{text.none}</strong>
          </p>
          <p className="soft">{text.noneHint}</p>
          <pre tabIndex={0}>{text.command(location.origin)}</pre>
        </>
      )}
      {!link && challenge && (
        <Asked lead={text.message} message={challenge.message} onCancel={() => setChallenge(undefined)}>
          <button type="button" className="primary" disabled={isBusy} onClick={() => void sign(challenge)}>
            {isBusy ? text.waiting : text.sign}
          </button>
        </Asked>
      )}
      {!link && !challenge && (
        <div className="wallets">
          {wallets.map((wallet) => (
            <button
              key={wallet.id}
              type="button"
              className="primary"
              disabled={isBusy}
              onClick={() => void choose(wallet)}
            >
              {wallet.icon && <img src={wallet.icon} alt="" width={20} height={20} />} {text.with(wallet.name)}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

/** A message, and what can be done with it. */
function Asked(asked: { lead: string; message: string; onCancel(): void; children: React.ReactNode }) {
  return (
    <>
      <p>{asked.lead}</p>
      <pre tabIndex={0}>{asked.message}</pre>
      <p className="buttons">
        <button type="button" className="quiet" onClick={asked.onCancel}>
          {words.cancel}
        </button>
        {asked.children}
      </p>
    </>
  );
}
