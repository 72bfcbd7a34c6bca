import { useState } from 'react';
import { CallError, tell } from './api.js';
import { askForChallenge, type Challenge, signIn, useWallets, type Wallet } from './wallets.js';
import { words } from './words.js';

const text = words.signIn;

/** Signs in with a wallet of the browser, whose message is shown before it is signed. */
export function SignIn({ lead, onDone }: { lead: string; onDone(): void }) {
  const wallets = useWallets();
  const [challenge, setChallenge] = useState<Challenge>();
  const [isBusy, setBusy] = useState(false);
  const [fault, setFault] = useState<string>();
  const attempt = async (task: () => Promise<void>) => {
    setFault(undefined);
    setBusy(true);
    try {
      await task();
    } catch (error) {
      // A wallet has its own errors.
      setFault(
        error instanceof CallError
          ? error.code === 'unauthorized'
            ? words.error.other(error.message)
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
  return (
    <div className="sign-in">
      <h1>{text.title}</h1>
      <p>{lead}</p>
      {fault !== undefined && (
        <p className="fault" role="alert">
          {fault}
        </p>
      )}
      {wallets.length === 0 && (
        <>
          <p>
            <strong>{text.none}</strong>
          </p>
          <p className="soft">{text.noneHint}</p>
        </>
      )}
      {challenge === undefined ? (
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
      ) : (
        <>
          <p>{text.message}</p>
          <pre tabIndex={0}>{challenge.message}</pre>
          <p className="buttons">
            <button type="button" className="quiet" onClick={() => setChallenge(undefined)}>
              {words.cancel}
            </button>
            <button type="button" className="primary" disabled={isBusy} onClick={() => void sign(challenge)}>
              {isBusy ? text.waiting : text.sign}
            </button>
          </p>
        </>
      )}
    </div>
  );
}
