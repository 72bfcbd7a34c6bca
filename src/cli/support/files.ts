import { readFileSync } from 'node:fs';
import { systemCode, UsageError } from '../../sdk/calls/errors.js';

/** Reads the PEM certificates of a setting's file. @throws UsageError with one clear line */
export function readCertificates(path: string, setting = '--ca'): Buffer {
  const pem = readSettingFile(path, setting);
  if (!pem.includes('-----BEGIN CERTIFICATE-----'))
    throw new UsageError(`${setting} ${path}: no PEM certificate in it`);
  return pem;
}

/** Reads the text of a setting's file. @throws UsageError with one clear line */
export function readText(path: string, setting: string): string {
  return readSettingFile(path, setting).toString();
}

function readSettingFile(path: string, setting: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(`${setting} ${path}: ${systemCode(error) ?? 'cannot be read'}`, { cause: error });
  }
}
