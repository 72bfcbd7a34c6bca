import type { Key } from 'ink';
import type { AgentStore } from '../../agent/client/agent-store.js';
import type { AgentTunnel } from '../../agent/contract.js';
import { addForm, changeForm, faultOf, type FormPlan } from './forms.js';

export const tabs = ['Requests', 'Relays', 'Log', 'Settings', 'QR code', 'Notices'] as const;
export type Tab = (typeof tabs)[number];

export interface OpenForm {
  plan: FormPlan;
  values: Record<string, string>;
  /** The field that keys go to. */
  at: number;
  fault: string | undefined;
  isBusy: boolean;
}

export interface ModelState {
  selected: string | undefined;
  tab: Tab;
  /** Part of an id, a name or a target. */
  filter: string;
  mode: 'list' | 'find' | 'remove' | 'form';
  form: OpenForm | undefined;
  message: string;
}

export interface ModelOptions {
  /** Makes a path or port of this terminal one of the agent. */
  resolveTarget(target: string): string;
  exit(): void;
}

/**
 * What the dashboard shows, and what keys do to it. It is not React's state, since keys may come faster than React draws: each must
 * meet what the one before has made.
 */
export class DashboardModel {
  #state: ModelState = {
    selected: undefined,
    tab: 'Requests',
    filter: '',
    mode: 'list',
    form: undefined,
    message: '',
  };
  readonly #listeners = new Set<() => void>();

  constructor(
    private readonly store: AgentStore,
    private readonly options: ModelOptions,
  ) {}

  /** The same object as long as nothing changes. */
  readonly state = (): ModelState => this.#state;

  /** @returns unsubscribes */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** The services that are shown. */
  tunnels(): AgentTunnel[] {
    const filter = this.#state.filter.toLowerCase();
    return (this.store.view().status?.tunnels ?? []).filter(({ id, name = '', target_addr: target = '' }) =>
      [id, name, target].some((text) => text.toLowerCase().includes(filter)),
    );
  }

  current(): AgentTunnel | undefined {
    const tunnels = this.tunnels();
    return tunnels.find(({ id }) => id === this.#state.selected) ?? tunnels[0];
  }

  /** @param input text may be several characters, when they come together */
  press(input: string, key: Key): void {
    // Of keys that come together Ink makes one text; only of what is pasted it is meant so.
    for (const part of input === '' ? [''] : input) {
      // Ctrl+C alone is Ink's.
      if (part === '\x03') return this.options.exit();
      this.#key(part, withControl(part, key));
    }
  }

  #key(input: string, key: Key): void {
    const { mode } = this.#state;
    if (mode === 'find') this.#find(input, key);
    else if (mode === 'remove') this.#confirm(input);
    else if (mode === 'form') this.#fill(input, key);
    else this.#list(input, key);
  }

  #list(input: string, key: Key): void {
    this.#change({ message: '' });
    const current = this.current();
    if (input === 'q') this.options.exit();
    else if (key.upArrow || input === 'k') this.#move(-1);
    else if (key.downArrow || input === 'j') this.#move(1);
    else if (key.pageUp) this.#move(-10);
    else if (key.pageDown) this.#move(10);
    else if (key.tab || key.rightArrow || key.leftArrow) this.#turn(key.shift || key.leftArrow ? -1 : 1);
    else if (/^[1-9]$/.test(input)) this.#change({ tab: tabs[Number(input) - 1] ?? this.#state.tab });
    else if (input === '/') this.#change({ mode: 'find' });
    else if (input === 'a') this.#open(addForm(this.store, (target) => this.options.resolveTarget(target)));
    else if (!current) return;
    else if (input === 'c') this.#open(changeForm(this.store, current, (target) => this.options.resolveTarget(target)));
    else if (input === 'x') this.#change({ mode: 'remove' });
    else if (input === 's') this.#startOrStop(current);
    else if (input === 'r')
      this.#do(`restarted ${current.id}`, this.store.client?.POST('/v1/agent/tunnels/{id}/restart', about(current)));
  }

  #move(step: number): void {
    const tunnels = this.tunnels();
    const at = tunnels.findIndex(({ id }) => id === this.current()?.id);
    this.#change({ selected: tunnels[Math.min(tunnels.length - 1, Math.max(0, at + step))]?.id });
  }

  #turn(step: number): void {
    this.#change({ tab: tabs[(tabs.indexOf(this.#state.tab) + step + tabs.length) % tabs.length]! });
  }

  #startOrStop(tunnel: AgentTunnel): void {
    const { id, state } = tunnel;
    if (state === 'stopped')
      this.#do(`started ${id}`, this.store.client?.POST('/v1/agent/tunnels/{id}/start', about(tunnel)));
    else this.#do(`stopped ${id}`, this.store.client?.POST('/v1/agent/tunnels/{id}/stop', about(tunnel)));
  }

  #find(input: string, key: Key): void {
    const { filter } = this.#state;
    if (key.escape) this.#change({ mode: 'list', filter: '' });
    else if (key.return) this.#change({ mode: 'list' });
    else if (key.backspace || key.delete) this.#change({ filter: filter.slice(0, -1) });
    else if (!key.ctrl) this.#change({ filter: filter + printable(input) });
  }

  #confirm(input: string): void {
    const current = this.current();
    this.#change({ mode: 'list', message: 'nothing was removed' });
    if (input === 'y' && current)
      this.#do(`removed ${current.id}`, this.store.client?.DELETE('/v1/agent/tunnels/{id}', about(current)));
  }

  #open(plan: FormPlan): void {
    const values = Object.fromEntries(plan.fields.map(({ name, value }) => [name, value]));
    this.#change({ mode: 'form', form: { plan, values, at: 0, fault: undefined, isBusy: false } });
  }

  #fill(input: string, key: Key): void {
    const { form } = this.#state;
    if (!form || form.isBusy) return;
    const { plan, values, at } = form;
    const change = (changes: Partial<OpenForm>) => this.#change({ form: { ...form, ...changes } });
    const { name } = plan.fields[at]!;
    const text = values[name]!;
    const step = key.upArrow || key.shift ? -1 : 1;
    if (key.escape) this.#change({ mode: 'list', form: undefined });
    else if (key.return) this.#submit(form);
    else if (key.tab || key.downArrow || key.upArrow)
      change({ at: (at + step + plan.fields.length) % plan.fields.length });
    else if (key.backspace || key.delete) change({ values: { ...values, [name]: [...text].slice(0, -1).join('') } });
    else if (!key.ctrl && !key.meta) change({ values: { ...values, [name]: text + printable(input) } });
  }

  #submit(form: OpenForm): void {
    const { plan, values } = form;
    this.#change({ form: { ...form, isBusy: true } });
    const failed = (fault: string) => this.#change({ form: { ...form, fault, isBusy: false } });
    plan.submit(values).then(
      (fault) => {
        if (fault === undefined) this.#change({ mode: 'list', form: undefined, message: plan.done });
        else failed(fault);
      },
      (error: Error) => failed(error.message),
    );
  }

  #do(done: string, work: Parameters<typeof faultOf>[0]): void {
    this.#change({ message: 'asking the agent …' });
    faultOf(work).then(
      (fault) => this.#change({ message: fault ?? done }),
      (error: Error) => this.#change({ message: error.message }),
    );
  }

  #change(changes: Partial<ModelState>): void {
    this.#state = { ...this.#state, ...changes };
    for (const listener of this.#listeners) listener();
  }
}

const about = ({ id }: AgentTunnel) => ({ params: { path: { id } } });

const printable = (text: string) => text.replaceAll(/\p{Cc}/gu, '');

/** The key that a control character of a text is. */
function withControl(character: string, key: Key): Key {
  if (character === '\r' || character === '\n') return { ...key, return: true };
  if (character === '\t') return { ...key, tab: true };
  if (character === '\x7f' || character === '\b') return { ...key, backspace: true };
  return key;
}
