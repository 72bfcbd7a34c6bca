import { useId, useState } from 'react';
import { type Action, decide, decideOnIp, type Subject } from '../decide.js';
import { words } from '../words.js';
import { Dialog } from './dialog.js';

/** What is about to be decided. */
export type Pending =
  | { action: Exclude<Action, 'banIp' | 'unbanIp'>; subjects: Subject[]; connections: number; ready: number }
  | { action: 'banIp' | 'unbanIp'; ip: string };

const ending: Action[] = ['denyLease', 'banLease'];

/** Says what a decision will end, before it is made. */
export function Confirm({ pending, onDone, onCancel }: { pending: Pending; onDone(): void; onCancel(): void }) {
  const [isBusy, setBusy] = useState(false);
  const [bps, setBps] = useState('');
  const [isWrong, setWrong] = useState(false);
  const hint = useId();
  const { action } = pending;
  const name = words.actions[action]!;
  const targets = 'ip' in pending ? [pending.ip] : pending.subjects.map((subject) => subject.name);
  const title = words.confirm.title(name, targets);
  const run = () => {
    if (action === 'setLeaseBps' && !/^[1-9]\d{0,14}$/.test(bps)) return setWrong(true);
    setBusy(true);
    const deciding =
      'ip' in pending ? decideOnIp(pending.action, pending.ip) : decide(pending.action, pending.subjects, Number(bps));
    void Promise.resolve(deciding).finally(onDone);
  };
  return (
    <Dialog label={title} onClose={onCancel}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run();
        }}
      >
        <h2>{title}</h2>
        {targets.length > 1 && <p className="soft names">{targets.join(', ')}</p>}
        <p>{words.effects[action]}</p>
        {'subjects' in pending && ending.includes(action) && (
          <p>{words.confirm.ends(pending.connections, pending.ready)}</p>
        )}
        {action === 'setLeaseBps' && (
          <label>
            {words.confirm.bps}
            <input
              inputMode="numeric"
              value={bps}
              aria-invalid={isWrong}
              aria-describedby={hint}
              onChange={(event) => setBps(event.target.value.trim())}
            />
            <small id={hint} className={isWrong ? 'fault' : 'soft'}>
              {isWrong ? words.confirm.bpsWrong : words.confirm.bpsHint}
            </small>
          </label>
        )}
        <p className="buttons">
          <button type="button" className="quiet" onClick={onCancel}>
            {words.cancel}
          </button>
          <button
            type="submit"
            disabled={isBusy}
            className={ending.includes(action) || action === 'banIp' ? 'danger' : 'primary'}
          >
            {words.confirm.go}
          </button>
        </p>
      </form>
    </Dialog>
  );
}
