import { hkdfSync } from 'node:crypto';
import { EncryptJWT, jwtDecrypt, type JWTPayload } from 'jose';
import { type Field, field, valuesOf } from '../http/message/fields.js';

/** Names of cookies that are the tunnel's. `__Host-`: no other host can set them, not even one under the same root host. */
const prefix = '__Host-portal-';
/** Largest cookie that is looked at. */
const maxCookieBytes = 4_096;

export interface CookieKind {
  name: 'session' | 'login';
  seconds: number;
}

/** Cookies that only this tunnel can read and make: JWE (RFC 7516) with `dir` and A256GCM. */
export class SealedCookies {
  #key: Uint8Array | undefined;

  /** @param secret 32 bytes @param rules who may come in: other rules cannot open the cookies that were made under these */
  start(secret: Buffer, rules: string): void {
    this.#key = new Uint8Array(hkdfSync('sha256', secret, rules, 'portal tunnel cookies', 32));
  }

  /** @returns a Set-Cookie field */
  async seal({ name, seconds }: CookieKind, hostname: string, claims: JWTPayload): Promise<Field> {
    const now = Math.floor(Date.now() / 1000);
    const value = await new EncryptJWT(claims)
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .setAudience(`${name} ${hostname}`)
      .setIssuedAt(now)
      .setExpirationTime(now + seconds)
      .encrypt(this.#keyOf());
    return setCookie(name, value, seconds);
  }

  /** @returns undefined unless there is one such cookie, of this host, valid and unexpired */
  async open({ name }: CookieKind, hostname: string, fields: readonly Field[]): Promise<JWTPayload | undefined> {
    const values = cookiesOf(fields).filter((cookie) => cookie.startsWith(`${prefix}${name}=`));
    const value = values.length === 1 ? (values[0] as string).slice(prefix.length + name.length + 1) : '';
    if (value === '' || value.length > maxCookieBytes) return undefined;
    try {
      const { payload } = await jwtDecrypt(value, this.#keyOf(), {
        audience: `${name} ${hostname}`,
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
        requiredClaims: ['exp'],
      });
      return payload;
    } catch {
      return undefined;
    }
  }

  #keyOf(): Uint8Array {
    if (!this.#key) throw new Error('the cookies have no key yet');
    return this.#key;
  }
}

/** @returns a Set-Cookie field that removes the cookie */
export function removeCookie({ name }: CookieKind): Field {
  return setCookie(name, '', 0);
}

function setCookie(name: string, value: string, seconds: number): Field {
  const cookie = `${prefix}${name}=${value}; Path=/; Max-Age=${seconds}; Secure; HttpOnly; SameSite=Lax`;
  return field('Set-Cookie', cookie);
}

/** The fields of a request without the tunnel's cookies, which are not for the service. */
export function withoutOwnCookies(fields: readonly Field[]): Field[] {
  return fields.flatMap((each) => {
    if (each.key !== 'cookie' || !each.value.includes(prefix)) return [each];
    const kept = each.value
      .split(';')
      .map((cookie) => cookie.trim())
      .filter((cookie) => !cookie.startsWith(prefix));
    return kept.length === 0 ? [] : [{ ...each, value: kept.join('; ') }];
  });
}

function cookiesOf(fields: readonly Field[]): string[] {
  return valuesOf(fields, 'cookie').flatMap((value) => value.split(';').map((cookie) => cookie.trim()));
}
