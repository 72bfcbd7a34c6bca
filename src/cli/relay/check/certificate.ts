import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { resolveNs } from 'node:dns/promises';
import type { RelayConfig } from '../../../relay/config/config.js';
import { loadCertificate } from '../../../relay/certs/certificate-source.js';
import { parseCertificatePem } from '../../../relay/certs/certificate.js';
import type { Tell } from '../../support/finding.js';

const warningDays = 14;
const about = 'certificate';

/** Its files, or what ordering it needs. */
export async function lookAtCertificate(config: RelayConfig, tell: Tell): Promise<void> {
  const { certificateFiles, acme, portalUrl } = config;
  const rootHost = portalUrl.hostname;
  if (acme) {
    lookAtOrdered(config, tell);
    if ('port' in acme.dns) await lookAtDelegation(rootHost, tell);
    return;
  }
  if (!certificateFiles)
    return tell('warning', about, `one for development is used, which visitors do not trust: for ${rootHost} alone`);
  try {
    const { leaf } = await loadCertificate(certificateFiles, rootHost);
    if (Date.parse(leaf.validFrom) > Date.now())
      return tell('problem', about, `is not valid before ${leaf.validFrom}: look at the clock of this machine`);
    tellDays(leaf.validTo, 'renew it: the relay reads the files again', tell);
  } catch (error) {
    tell('problem', about, `${(error as Error).message}: give a chain for both names, with its key`);
  }
}

function tellDays(validTo: string, advice: string, tell: Tell): void {
  const days = Math.floor((Date.parse(validTo) - Date.now()) / 86_400_000);
  if (days < warningDays) tell('warning', about, `ends in ${days} days: ${advice}`);
  else tell('ok', about, `is valid for ${days} more days`);
}

function lookAtOrdered({ stateDir, portalUrl }: RelayConfig, tell: Tell): void {
  const folder = join(stateDir, 'acme');
  const files = existsSync(folder)
    ? readdirSync(folder).map((ca) => join(folder, ca, `${portalUrl.hostname}.pem`))
    : [];
  const kept = files.find((file) => existsSync(file));
  if (kept === undefined) return tell('ok', about, 'is ordered at the first start, which waits for it');
  try {
    const pem = readFileSync(kept, 'utf8');
    tellDays(parseCertificatePem(pem, pem).leaf.validTo, 'the log of the relay says why it is not renewed', tell);
  } catch (error) {
    tell('problem', about, `${kept} cannot be used: ${(error as Error).message}`);
  }
}

/** Whether `_acme-challenge` leads to the relay, which alone answers for it. */
async function lookAtDelegation(rootHost: string, tell: Tell): Promise<void> {
  const zone = `_acme-challenge.${rootHost}`;
  const record = `set the record "${zone}. NS ${rootHost}." in its zone`;
  try {
    const servers = await resolveNs(zone);
    if (servers.some((server) => server.toLowerCase() === rootHost)) tell('ok', zone, 'is delegated to the relay');
    else tell('problem', zone, `is delegated to ${servers.join(', ')}, not to the relay: ${record}`);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ENOTFOUND' || code === 'ENODATA') tell('problem', zone, `is not delegated to the relay: ${record}`);
    else tell('warning', zone, `cannot be asked for (${code}), which is so while no relay runs; ${record}`);
  }
}
