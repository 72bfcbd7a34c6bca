import { type FormEvent, useId, useState } from 'react';
import { api, client, queries, unwrapped, tell, type Schemas } from '../api.js';
import { overviewKey, refresh } from '../live.js';
import { Loaded } from '../parts/state.js';
import { toast } from '../parts/toasts.js';
import { words } from '../words.js';

const text = words.settings;

export function Settings() {
  const query = unwrapped(api.useQuery('get', '/admin/overview', {}));
  return (
    <>
      <h1>{words.pages.settings}</h1>
      <p className="soft">{text.lead}</p>
      <Loaded query={query}>
        {({ approval_mode: mode, landing_page_enabled: landing, udp, tcp_port: tcp }) => (
          <div className="settings">
            <fieldset>
              <legend>{text.approval}</legend>
              {(['auto', 'manual'] as const).map((each) => (
                <label key={each}>
                  <input
                    type="radio"
                    name="mode"
                    checked={mode === each}
                    onChange={() =>
                      void save(() => client.POST('/admin/settings/approval-mode', { body: { mode: each } }), {
                        approval_mode: each,
                      })
                    }
                  />{' '}
                  {text[each]}
                </label>
              ))}
            </fieldset>
            <fieldset>
              <legend>{text.landing}</legend>
              <label>
                <input
                  type="checkbox"
                  checked={landing}
                  onChange={({ target: { checked } }) =>
                    void save(() => client.POST('/admin/settings/landing-page', { body: { enabled: checked } }), {
                      landing_page_enabled: checked,
                    })
                  }
                />{' '}
                {text.landingHint}
              </label>
            </fieldset>
            <Ports
              field="udp"
              title={text.udp}
              now={udp}
              send={(body) => client.POST('/admin/settings/udp', { body })}
            />
            <Ports
              field="tcp_port"
              title={text.tcp}
              now={tcp}
              send={(body) => client.POST('/admin/settings/tcp-port', { body })}
            />
          </div>
        )}
      </Loaded>
    </>
  );
}

/** @param now shown at once; what the relay says afterwards counts */
async function save(call: () => Promise<unknown>, now: Partial<Schemas['Overview']> = {}): Promise<boolean> {
  queries.setQueryData(
    overviewKey,
    (held: Schemas['OverviewAnswer'] | undefined) => held && { ...held, data: { ...held.data, ...now } },
  );
  try {
    await call();
    toast(text.saved);
    return true;
  } catch (error) {
    toast(tell(error), { isFault: true });
    return false;
  } finally {
    await refresh(['/admin/overview']);
  }
}

/** What is typed stays, whatever others change meanwhile, until it is saved. */
function Ports({
  field,
  title,
  now,
  send,
}: {
  field: 'udp' | 'tcp_port';
  title: string;
  now: Schemas['PortSettings'];
  send(body: Schemas['PortSettingsRequest']): Promise<unknown>;
}) {
  const [typed, setTyped] = useState<{ most: string; from: number }>();
  const hint = useId();
  const most = typed?.most ?? String(now.max_leases);
  const isWrong = !/^\d{1,5}$/.test(most) || Number(most) > 65_535;
  const isOutdated = typed !== undefined && typed.from !== now.max_leases;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isWrong) return;
    void save(() => send({ enabled: now.enabled, max_leases: Number(most) })).then(
      (isDone) => isDone && setTyped(undefined),
    );
  };
  return (
    <form onSubmit={submit}>
      <fieldset>
        <legend>{title}</legend>
        <label>
          <input
            type="checkbox"
            checked={now.enabled}
            onChange={({ target: { checked } }) =>
              void save(() => send({ enabled: checked }), { [field]: { ...now, enabled: checked } })
            }
          />{' '}
          {text.enabled}
        </label>
        <label>
          {text.most}
          <input
            inputMode="numeric"
            value={most}
            aria-invalid={isWrong}
            aria-describedby={hint}
            onChange={(event) => setTyped({ most: event.target.value.trim(), from: typed?.from ?? now.max_leases })}
          />
        </label>
        <small id={hint} className="fault">
          {isWrong ? text.wrong : isOutdated ? text.changed : ''}
        </small>
        <button type="submit" disabled={typed === undefined || isWrong}>
          {text.save}
        </button>
      </fieldset>
    </form>
  );
}
