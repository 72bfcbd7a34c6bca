import { type ReactNode, useEffect, useRef } from 'react';
import { words } from '../words.js';

/** A panel beside the page, which stays usable. It takes the focus, and gives it back. */
export function Drawer({ title, onClose, children }: { title: string; onClose(): void; children: ReactNode }) {
  const ref = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    ref.current?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <aside
      ref={ref}
      className="drawer"
      aria-label={title}
      tabIndex={-1}
      onKeyDown={(event) => {
        if (event.key === 'Escape') onClose();
      }}
    >
      <header>
        <h2>{title}</h2>
        <button type="button" className="quiet" aria-label={words.close} onClick={onClose}>
          ×
        </button>
      </header>
      {children}
    </aside>
  );
}
