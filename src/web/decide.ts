import { client, tell } from './api.js';
import { refresh } from './live.js';
import { toast } from './parts/toasts.js';
import { words } from './words.js';

export interface Identity {
  name: string;
  address: string;
}

export type Decision =
  | 'approveLease'
  | 'revokeLeaseApproval'
  | 'denyLease'
  | 'removeLeaseDenial'
  | 'banLease'
  | 'unbanLease'
  | 'removeLeaseBps';

/** Calls at once, when many are decided on. */
const atOnce = 6;

const base64url = (text: string) =>
  btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');

export const pathOf = ({ name, address }: Identity) => ({ name: base64url(name), addr: base64url(address) });

const calls: Record<Decision, (identity: Identity) => Promise<unknown>> = {
  approveLease: (identity) =>
    client.POST('/admin/leases/{name}/{addr}/approve', { params: { path: pathOf(identity) } }),
  revokeLeaseApproval: (identity) =>
    client.DELETE('/admin/leases/{name}/{addr}/approve', { params: { path: pathOf(identity) } }),
  denyLease: (identity) => client.POST('/admin/leases/{name}/{addr}/deny', { params: { path: pathOf(identity) } }),
  removeLeaseDenial: (identity) =>
    client.DELETE('/admin/leases/{name}/{addr}/deny', { params: { path: pathOf(identity) } }),
  banLease: (identity) => client.POST('/admin/leases/{name}/{addr}/ban', { params: { path: pathOf(identity) } }),
  unbanLease: (identity) => client.DELETE('/admin/leases/{name}/{addr}/ban', { params: { path: pathOf(identity) } }),
  removeLeaseBps: (identity) =>
    client.DELETE('/admin/leases/{name}/{addr}/bps', { params: { path: pathOf(identity) } }),
};

const limit = (identity: Identity, bps: number) =>
  client.POST('/admin/leases/{name}/{addr}/bps', { params: { path: pathOf(identity) }, body: { bps } });

/** What a decision is about, as it was before. */
export interface Subject extends Identity {
  is_approved: boolean;
  has_approval?: boolean;
  is_denied: boolean;
  is_banned: boolean;
  bps?: number | undefined;
}

export type Action = Decision | 'setLeaseBps' | 'banIp' | 'unbanIp';

/** Puts an identity back as it was. Denying revokes an approval, approving lifts a denial, and each may be the case already. */
async function restore(action: Exclude<Action, 'banIp' | 'unbanIp'>, before: Subject): Promise<void> {
  if (action === 'banLease' || action === 'unbanLease') {
    await calls[before.is_banned ? 'banLease' : 'unbanLease'](before);
  } else if (action === 'setLeaseBps' || action === 'removeLeaseBps') {
    await (before.bps === undefined ? calls.removeLeaseBps(before) : limit(before, before.bps));
  } else if (before.is_denied) {
    await calls.denyLease(before);
  } else if (before.has_approval) {
    await calls.approveLease(before);
  } else {
    await calls.removeLeaseDenial(before);
    await calls.revokeLeaseApproval(before);
  }
}

/** Runs tasks, a few at a time. @returns those that failed, each with its error */
async function runAll<Item>(
  items: readonly Item[],
  task: (item: Item) => Promise<unknown>,
): Promise<Map<Item, unknown>> {
  const failed = new Map<Item, unknown>();
  const queue = [...items];
  const work = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      try {
        await task(item);
      } catch (error) {
        failed.set(item, error);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return failed;
}

/** Decides on identities, says what became of it, and offers to undo it. */
export async function decide(
  action: Exclude<Action, 'banIp' | 'unbanIp'>,
  subjects: readonly Subject[],
  bps?: number,
): Promise<void> {
  const failed = await runAll(subjects, (subject) =>
    action === 'setLeaseBps' ? limit(subject, bps!) : calls[action](subject),
  );
  const done = subjects.filter((subject) => !failed.has(subject));
  const undo = () => {
    void runAll(done, (subject) => restore(action, subject)).then(async (left) => {
      if (left.size > 0) toast(tell([...left.values()][0]), { isFault: true });
      else toast(words.undone);
      await refresh();
    });
  };
  report(words.actions[action]!, done.length, failed, done.length > 0 ? undo : undefined);
  await refresh();
}

export async function decideOnIp(action: 'banIp' | 'unbanIp', ip: string): Promise<boolean> {
  const call = (what: typeof action) =>
    what === 'banIp'
      ? client.POST('/admin/ips/{ip}/ban', { params: { path: { ip } } })
      : client.DELETE('/admin/ips/{ip}/ban', { params: { path: { ip } } });
  const failed = await runAll([ip], () => call(action));
  const undo = () => {
    void call(action === 'banIp' ? 'unbanIp' : 'banIp').then(
      () => toast(words.undone),
      (error: unknown) => toast(tell(error), { isFault: true }),
    );
  };
  report(words.actions[action]!, 1 - failed.size, failed, failed.size === 0 ? undo : undefined);
  await refresh();
  return failed.size === 0;
}

function report(action: string, done: number, failed: Map<unknown, unknown>, undo: (() => void) | undefined): void {
  const [error] = failed.values();
  if (failed.size === 0) toast(words.done(action, done), { undo });
  else if (done === 0) toast(`${action}: ${tell(error)}`, { isFault: true });
  else toast(words.partly(action, done, failed.size, tell(error)), { isFault: true, undo });
}
