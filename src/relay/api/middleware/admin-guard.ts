import type { Request, RequestHandler, Response } from 'express';
import { ApiError, type OperationId } from '../../../contract/index.js';
import type { AuditLog } from '../../audit/audit-log.js';
import type { AdminAuth } from '../../auth/admin-auth.js';
import type { AdminSessionRecord } from '../../store/governance-store.js';

/** Operations that need no login. */
const openOperations: OperationId[] = [
  'createAdminChallenge',
  'loginAdmin',
  'getAdminStatus',
  'getConsole',
  'getConsoleAsset',
];

/** What the guard found. Handlers refuse to run without it. */
interface Admitted {
  /** The sessions of the request's cookies: at least one, unless the operation is open. */
  sessions: AdminSessionRecord[];
}

/**
 * No response under `/admin` may be cached, framed or embedded by other pages, refusals and errors included. The console
 * has a policy of its own.
 */
export const adminHeaders: RequestHandler = (_request, response, next) => {
  response.set({
    'Cache-Control': 'no-store',
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
    'Cross-Origin-Resource-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
  });
  next();
};

/**
 * Stands in front of `/admin`, before anything of the request is looked at: whether there are admins at all, that the request
 * comes from no other site's page, and that its caller is logged in.
 * @param origin of `PORTAL_URL`
 */
export function adminGuard(auth: AdminAuth, audit: AuditLog, origin: string): RequestHandler {
  return async (request, response, next) => {
    if (!auth.isOn) throw new ApiError('feature_unavailable', 'the operator of this relay has named no admin wallets');
    const { operationId } = response.locals as { operationId?: OperationId };
    const sessions = auth.sessions.named(request.get('cookie'));
    const refuse = async (reason: string) => {
      if (request.method !== 'GET' && operationId) {
        const wallet = sessions[0]?.wallet;
        await audit.refused({ wallet, ip: request.ip ?? '', action: operationId, reason });
      }
      throw new ApiError('unauthorized', reason);
    };
    // A page of a tenant's could not read a stream, but it could keep many of them open.
    if ((request.method !== 'GET' || operationId === 'followRelay') && !isOwn(request, origin))
      await refuse('the request comes from a page that is not of this relay');
    if (sessions.length === 0 && !(operationId && openOperations.includes(operationId))) await refuse('log in first');
    response.locals['admitted'] = { sessions } satisfies Admitted;
    next();
  };
}

/** @throws ApiError `unauthorized` when the guard has not let the request in */
export function admitted(response: Response): Admitted {
  const found = response.locals['admitted'] as Admitted | undefined;
  if (!found) throw new ApiError('unauthorized', 'log in first');
  return found;
}

/**
 * Tenants' pages are same-site with the relay, so SameSite cookies are sent with their requests. A browser names the
 * origin of a request; other programs do not, and send only their own cookies.
 */
function isOwn(request: Request, origin: string): boolean {
  const from = request.get('origin');
  if (from !== undefined) return from === origin;
  const site = request.get('sec-fetch-site');
  return site === undefined || site === 'same-origin';
}
