import { readFileSync } from 'node:fs';
import { systemCode, UsageError } from '../sdk/errors.js';

/** PEM certificates that `--ca` names. @throws UsageError with one clear line */
export function readCertificates(path: string): Buffer {
  let pem: Buffer;
  try {
    pem = readFileSync(path);
  } catch (error) {
    throw new UsageError(`--ca ${path}: ${systemCode(error) ?? 'cannot be read'}`, { cause: error });
  }
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw new UsageError(`--ca ${path}: no PEM certificate in it`);
  return pem;
}
