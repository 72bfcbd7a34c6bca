import { ApiError } from '../../contract/errors.js';

// Relays of earlier releases (docs/protocol.md, Relays of earlier releases).

/** The statement of their sign-in messages. */
export const compatStatement = 'Register a portal lease';

/** What a tunnel wants that they do not have. */
export interface CompatNeeds {
  group?: string | undefined;
  certificates?: object | undefined;
  portNumbers?: { tcp?: number | undefined } | undefined;
  sessionWait?: number | undefined;
  services: { udp?: object | undefined };
}

/** @throws ApiError `feature_unavailable` for what would be left out without a word */
export function assertCompat({ group, certificates, portNumbers, sessionWait, services }: CompatNeeds): void {
  const lacks = (what: string) =>
    new ApiError('feature_unavailable', `the relay is of an earlier release, and has no ${what}`);
  if (certificates !== undefined) throw lacks("domains and certificates of the tunnel's own");
  if (group !== undefined) throw lacks('groups of tunnels');
  if (services.udp !== undefined) throw lacks('carrier of datagrams that is known here');
  if (portNumbers?.tcp !== undefined) throw lacks('choice of a TCP port');
  if (sessionWait !== undefined) throw lacks('choice of how long visitors wait');
}

/** What visitors of such a relay go without, for people. */
export const compatWarning =
  "the relay is of an earlier release: it signs whatever its tenants ask for, so another tenant could pass for this name; visitors' addresses are not known";
