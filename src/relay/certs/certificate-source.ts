import { readFile } from 'node:fs/promises';
import type { Logger } from '../../util/logger.js';
import { guard } from '../../util/boundary.js';
import { type Certificate, coversTenants, parseCertificatePem } from './certificate.js';

/** How long a replaced certificate can still sign. */
const oldCertificateGraceMs = 600_000;

export interface CertificateFiles {
  certFile: string;
  keyFile: string;
}

/** @throws Error in one line */
export async function loadCertificate(files: CertificateFiles, rootHost: string): Promise<Certificate> {
  const certificate = parseCertificatePem(
    await readFile(files.certFile, 'utf8'),
    await readFile(files.keyFile, 'utf8'),
  );
  if (!coversTenants(certificate, rootHost)) {
    throw new Error(`${files.certFile} is not valid for both ${rootHost} and *.${rootHost}`);
  }
  if (Date.parse(certificate.leaf.validTo) <= Date.now()) {
    throw new Error(`${files.certFile} expired on ${certificate.leaf.validTo}`);
  }
  return certificate;
}

/**
 * The certificate in use and, for a while, its predecessors: handshakes that began with an old chain can still be
 * signed.
 */
export class CertificateSource {
  #former: { certificate: Certificate; until: number }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #onChange: () => void = () => undefined;

  constructor(private certificate: Certificate) {}

  get current(): Certificate {
    return this.certificate;
  }

  /** The certificates that may sign now, the current one first. */
  usable(now = Date.now()): Certificate[] {
    this.#former = this.#former.filter(({ until }) => until > now);
    return [this.certificate, ...this.#former.map(({ certificate }) => certificate)];
  }

  /** Called after the certificate was replaced. */
  onChange(listener: () => void): void {
    this.#onChange = listener;
  }

  /** Uses another certificate from now on. */
  replace(certificate: Certificate): void {
    this.#former.push({ certificate: this.certificate, until: Date.now() + oldCertificateGraceMs });
    this.certificate = certificate;
    this.#onChange();
  }

  /**
   * Reads the files every `intervalMs` and uses a new pair once it is complete and valid. It polls instead of using
   * fs.watch because polling works with symbolic links, renames and mounts.
   */
  watch(files: CertificateFiles, rootHost: string, intervalMs: number, logger: Logger): void {
    let refused = '';
    const look = async () => {
      try {
        const found = await loadCertificate(files, rootHost);
        if (found.chainPem !== this.certificate.chainPem) {
          this.replace(found);
          logger.info({ file: files.certFile, validTo: found.leaf.validTo }, 'certificate reloaded');
        }
        refused = '';
      } catch (error) {
        const reason = (error as Error).message;
        if (reason !== refused) logger.warn({ reason }, 'certificate not reloaded: the current one stays in use');
        refused = reason;
      }
      if (this.#timer) this.#timer = setTimeout(lookGuarded, intervalMs);
    };
    const lookGuarded = guard('certificate check', look);
    this.#timer = setTimeout(lookGuarded, intervalMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
