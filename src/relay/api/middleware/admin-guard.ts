import type { Request, RequestHandler, Response } from 'express';
import { ApiError, type OperationId } from '../../../contract/index.js';
import type { AuditLog } from '../../audit/audit-log.js';
import type { AdminAuth } from '../../auth/admin-auth.js';
import type { AdminSessionRecord } from '../../store/governance-store.js';

/** Of which operations the caller need not be logged in. */
const openOperations: OperationId[] = ['createAdminChallenge', 'loginAdmin', 'getAdminStatus'];

/** What the guard found, for the handlers: without it there is no handling. */
interface Admitted {
  /** The sessions that the request's cookies name; one at least, unless the operation is open. */
  sessions: AdminSessionRecord[];
}

/** Nothing of `/admin` is kept by caches, shown in frames or embedded by other pages; refusals and errors no exception. */
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
    if (request.method !== 'GET' && !isOwn(request, origin))
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
 * Tenants' pages are same-site with the relay, so that SameSite cookies come along with what they send. A browser says where a
 * request comes from; a program that is no browser says nothing, and carries nobody's cookies but its own.
 */
function isOwn(request: Request, origin: string): boolean {
  const from = request.get('origin');
  if (from !== undefined) return from === origin;
  const site = request.get('sec-fetch-site');
  return site === undefined || site === 'same-origin';
}
