import { useState } from 'react';
import { client } from '../api.js';
import type { Action, Subject } from '../decide.js';
import { bytes, short } from '../format.js';
import { Confirm, type Pending } from '../parts/confirm.js';
import { SearchBox } from '../parts/search-box.js';
import { Loaded } from '../parts/state.js';
import { partSize, useParts } from '../parts/use-parts.js';
import { useParams } from '../url.js';
import { words } from '../words.js';

const text = words.decisions;

/** Identities and addresses about which something was decided. */
export function Decisions() {
  const [params] = useParams();
  const [pending, setPending] = useState<Pending>();
  const search = params['q'] ?? '';
  return (
    <>
      <h1>{words.pages.decisions}</h1>
      <div className="filters" role="search">
        <SearchBox />
      </div>
      <Identities
        search={search}
        propose={(action, subject) => setPending({ action, subjects: [subject], connections: 0, ready: 0 })}
      />
      <Ips search={search} propose={(action, ip) => setPending({ action, ip })} />
      {pending && (
        <Confirm pending={pending} onDone={() => setPending(undefined)} onCancel={() => setPending(undefined)} />
      )}
    </>
  );
}

const states = ['approved', 'denied', 'banned', 'limited'] as const;

function Identities({
  search,
  propose,
}: {
  search: string;
  propose(action: Exclude<Action, 'banIp' | 'unbanIp'>, subject: Subject): void;
}) {
  const [state, setState] = useState<(typeof states)[number]>();
  const filter = { ...(search && { search }), ...(state && { state }) };
  const query = useParts('/admin/identities', filter, async (offset) => {
    const { data } = await client.GET('/admin/identities', {
      params: { query: { ...filter, offset, limit: partSize } },
    });
    const { identities: items, ...counts } = data!.data;
    return { ...counts, items };
  });
  return (
    <section>
      <h2>{text.identities}</h2>
      <fieldset className="segments">
        <legend className="unseen">{text.status}</legend>
        {[undefined, ...states].map((each) => (
          <label key={each ?? 'all'}>
            <input type="radio" name="standing" checked={state === each} onChange={() => setState(each)} />
            {text.states[each ?? 'all']}
          </label>
        ))}
      </fieldset>
      <Loaded query={query}>
        {({ items: identities, matching, total }) => (
          <>
            <p className="soft" role="status">
              {text.count(matching, total)}
            </p>
            {identities.length === 0 && <p>{text.none}</p>}
            {identities.length > 0 && (
              <div className="scroll" tabIndex={0}>
                <table>
                  <thead>
                    <tr>
                      <th scope="col">{text.name}</th>
                      <th scope="col">{text.identity}</th>
                      <th scope="col">{text.status}</th>
                      <th scope="col">
                        <span className="unseen">{words.actionsOf}</span>
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    {identities.map((identity) => (
                      <tr key={identity.identity_key}>
                        <td>
                          <bdi>{identity.name}</bdi>
                        </td>
                        <td title={identity.address}>{short(identity.address)}</td>
                        <td>
                          {identity.is_banned && <span className="badge bad">{text.banned}</span>}
                          {identity.is_denied && <span className="badge bad">{text.denied}</span>}
                          {identity.has_approval && <span className="badge good">{text.approved}</span>}
                          {identity.bps !== undefined && <span className="badge">{bytes(identity.bps)}/s</span>}
                        </td>
                        <td className="buttons">
                          {reverses(identity).map((action) => (
                            <button key={action} type="button" onClick={() => propose(action, identity)}>
                              {words.actions[action]}
                            </button>
                          ))}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            )}
            <More of={query} />
          </>
        )}
      </Loaded>
    </section>
  );
}

function reverses({
  is_banned: isBanned,
  is_denied: isDenied,
  has_approval: hasApproval,
  bps,
}: Subject): Exclude<Action, 'banIp' | 'unbanIp'>[] {
  return [
    isBanned ? 'unbanLease' : 'banLease',
    isDenied ? 'removeLeaseDenial' : 'denyLease',
    hasApproval ? 'revokeLeaseApproval' : 'approveLease',
    ...(bps === undefined ? [] : (['removeLeaseBps'] as const)),
  ];
}

function Ips({ search, propose }: { search: string; propose(action: 'banIp' | 'unbanIp', ip: string): void }) {
  const [ip, setIp] = useState('');
  const filter = { ...(search && { search }) };
  const query = useParts('/admin/ips', filter, async (offset) => {
    const { data } = await client.GET('/admin/ips', { params: { query: { ...filter, offset, limit: partSize } } });
    const { ips: items, ...counts } = data!.data;
    return { ...counts, items };
  });
  return (
    <section>
      <h2>{text.ips}</h2>
      <form
        className="filters"
        onSubmit={(event) => {
          event.preventDefault();
          if (ip !== '') propose('banIp', ip);
        }}
      >
        <input
          aria-label={text.address}
          placeholder={text.address}
          maxLength={45}
          value={ip}
          onChange={(event) => setIp(event.target.value.trim())}
        />
        <button type="submit">{text.add}</button>
      </form>
      <Loaded query={query}>
        {({ items: ips, matching, total }) => (
          <>
            <p className="soft" role="status">
              {text.count(matching, total)}
            </p>
            {ips.length === 0 && <p>{text.noIps}</p>}
            <ul className="plain">
              {ips.map((each) => (
                <li key={each}>
                  <code>{each}</code>
                  <button type="button" onClick={() => propose('unbanIp', each)}>
                    {words.actions['unbanIp']}
                  </button>
                </li>
              ))}
            </ul>
            <More of={query} />
          </>
        )}
      </Loaded>
    </section>
  );
}

function More({ of }: { of: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage(): unknown } }) {
  if (!of.hasNextPage) return null;
  return (
    <button type="button" disabled={of.isFetchingNextPage} onClick={() => void of.fetchNextPage()}>
      {text.more}
    </button>
  );
}
