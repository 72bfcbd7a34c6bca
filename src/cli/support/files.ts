import { readFileSync } from 'node:fs';
import { systemCode, UsageError } from '../../sdk/calls/errors.js';

/** Reads the PEM certificates of a setting's file. @throws UsageError with one clear line */
export function readCertificates(path: string, setting = '--ca'): Buffer {
  let pem: Buffer;
  try {
    pem = readFileSync(path);
  } catch (error) {
    throw new UsageError(`${setting} ${path}: ${systemCode(error) ?? 'cannot be read'}`, { cause: error });
  }
  if (!pem.includes('-----BEGIN CERTIFICATE-----'))
    throw new UsageError(`${setting} ${path}: no PEM certificate in it`);
  return pem;
}
