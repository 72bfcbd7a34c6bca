import { useSyncExternalStore } from 'react';
import { words } from '../words.js';

export interface Toast {
  id: number;
  text: string;
  isFault: boolean;
  undo?: (() => void) | undefined;
}

const most = 4;
const shownMs = 12_000;
let toasts: readonly Toast[] = [];
let last = 0;
const listeners = new Set<() => void>();

function set(next: readonly Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

export function toast(
  text: string,
  { isFault = false, undo }: { isFault?: boolean; undo?: (() => void) | undefined } = {},
): void {
  const id = ++last;
  set([...toasts, { id, text, isFault, undo }].slice(-most));
  setTimeout(() => drop(id), shownMs);
}

const drop = (id: number) => set(toasts.filter((each) => each.id !== id));

/** What was done, or why not; read out by screen readers. */
export function Toasts() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => toasts,
  );
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map(({ id, text, isFault, undo }) => (
        <div key={id} className={isFault ? 'toast fault' : 'toast'}>
          <span>{text}</span>
          {undo && (
            <button
              type="button"
              onClick={() => {
                drop(id);
                undo();
              }}
            >
              {words.undo}
            </button>
          )}
          <button type="button" className="quiet" aria-label={words.close} onClick={() => drop(id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
