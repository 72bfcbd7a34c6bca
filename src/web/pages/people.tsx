import { api, client, unwrapped, tell } from '../api.js';
import { time } from '../format.js';
import { refresh } from '../live.js';
import { Loaded } from '../parts/state.js';
import { toast } from '../parts/toasts.js';
import { words } from '../words.js';

const text = words.people;

export function People() {
  const query = unwrapped(api.useQuery('get', '/admin/sessions', {}));
  const end = async (id: string) => {
    try {
      await client.DELETE('/admin/sessions/{id}', { params: { path: { id } } });
      toast(text.ended);
    } catch (error) {
      toast(tell(error), { isFault: true });
    }
    await refresh(['/admin/sessions']);
  };
  return (
    <>
      <h1>{words.pages.people}</h1>
      <p className="soft">{text.lead}</p>
      <Loaded query={query}>
        {({ sessions }) => (
          <div className="scroll" tabIndex={0}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{text.wallet}</th>
                  <th scope="col">{text.since}</th>
                  <th scope="col">{text.until}</th>
                  <th scope="col">
                    <span className="unseen">{words.actionsOf}</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {sessions.map((session) => (
                  <tr key={session.id}>
                    <td>
                      <code>{session.wallet_address}</code>{' '}
                      {session.is_own && <span className="badge good">{text.own}</span>}
                    </td>
                    <td>{time(session.opened_at)}</td>
                    <td>{time(session.expires_at)}</td>
                    <td className="buttons">
                      <button type="button" onClick={() => void end(session.id)}>
                        {text.end}
                      </button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Loaded>
    </>
  );
}
