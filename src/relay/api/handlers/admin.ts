import type { Request } from 'express';
import { getAddress } from 'ethers/address';
import { ApiError, type RequestBody, type SuccessData, success } from '../../../contract/index.js';
import { parseIp } from '../../../net/ip-address.js';
import type { AuditLog } from '../../audit/audit-log.js';
import type { AdminAuth } from '../../auth/admin-auth.js';
import { sessionCookieName } from '../../auth/admin-sessions.js';
import { adminSessionTtlMs } from '../../auth/admin-sessions.js';
import { decisionNames } from '../../policy/policy.js';
import { admitted } from '../middleware/admin-guard.js';
import { actor, changesOf, identityIn } from './admin-calls.js';
import { type SnapshotParts, portSettings, takeSnapshot } from './admin-snapshot.js';
import type { Handlers } from '../app.js';
import { clientIp, rfc3339 } from './sdk.js';

export interface AdminParts extends SnapshotParts {
  adminAuth: AdminAuth;
  audit: AuditLog;
}

/** `/admin/*`: the operator's decisions, behind `adminGuard`. */
export function adminHandlers(parts: AdminParts): Handlers {
  const { adminAuth, audit, policy } = parts;

  const change = changesOf(audit);
  const decide = Object.fromEntries(
    decisionNames.map((decision) => [
      decision,
      change(decision, async (request, by) => {
        await policy.decide(decision, identityIn(request), by);
        return {};
      }),
    ]),
  ) as Handlers;

  return {
    ...decide,

    createAdminChallenge(request, response) {
      admitted(response);
      const body = request.body as RequestBody<'createAdminChallenge'>;
      const { id, message, expiresAt } = adminAuth.challenge(getAddress(body.address.toLowerCase()), clientIp(request));
      const data: SuccessData<'createAdminChallenge'> = {
        challenge_id: id,
        expires_at: rfc3339(expiresAt),
        siwe_message: message,
      };
      response.status(201).json(success(data));
    },

    async loginAdmin(request, response) {
      admitted(response);
      const { wallet, token } = await adminAuth.login(request.body as RequestBody<'loginAdmin'>, clientIp(request));
      response.set('Set-Cookie', sessionCookie(token, adminSessionTtlMs / 1000));
      response.json(success({ wallet_address: wallet } satisfies SuccessData<'loginAdmin'>));
    },

    getAdminStatus(_request, response) {
      const [session] = admitted(response).sessions;
      const data: SuccessData<'getAdminStatus'> = session
        ? { authenticated: true, wallet_address: session.wallet }
        : { authenticated: false };
      response.json(success(data));
    },

    async logoutAdmin(request, response) {
      await adminAuth.logout(admitted(response).sessions, clientIp(request));
      response.set('Set-Cookie', sessionCookie('', 0));
      response.json(success({}));
    },

    getSnapshot(request, response) {
      actor(request, response);
      response.json(success(takeSnapshot(parts)));
    },

    setLandingPage: change('setLandingPage', async (request, by) => {
      await policy.setLandingPage((request.body as RequestBody<'setLandingPage'>).enabled, by);
      return { enabled: policy.settings.landingPageEnabled } satisfies SuccessData<'setLandingPage'>;
    }),

    setUdpSettings: change('setUdpSettings', async (request, by) => {
      await policy.setUdp(portSettingsIn(request), by);
      return portSettings(policy.settings.udp) satisfies SuccessData<'setUdpSettings'>;
    }),

    setTcpPortSettings: change('setTcpPortSettings', async (request, by) => {
      await policy.setTcpPort(portSettingsIn(request), by);
      return portSettings(policy.settings.tcpPort) satisfies SuccessData<'setTcpPortSettings'>;
    }),

    setApprovalMode: change('setApprovalMode', async (request, by) => {
      await policy.setApprovalMode((request.body as RequestBody<'setApprovalMode'>).mode, by);
      return { approval_mode: policy.settings.approvalMode } satisfies SuccessData<'setApprovalMode'>;
    }),

    setLeaseBps: change('setLeaseBps', async (request, by) => {
      const { bps } = request.body as RequestBody<'setLeaseBps'>;
      await policy.limit(identityIn(request), bps, by);
      return { bps } satisfies SuccessData<'setLeaseBps'>;
    }),

    removeLeaseBps: change('removeLeaseBps', async (request, by) => {
      await policy.limit(identityIn(request), undefined, by);
      return {};
    }),

    banIp: change('banIp', async (request, by) => {
      await policy.setIpBan(ipIn(request), true, by);
      return {};
    }),

    unbanIp: change('unbanIp', async (request, by) => {
      await policy.setIpBan(ipIn(request), false, by);
      return {};
    }),
  };
}

function sessionCookie(value: string, maxAgeSeconds: number): string {
  return `${sessionCookieName}=${value}; Path=/admin; Max-Age=${maxAgeSeconds}; HttpOnly; Secure; SameSite=Strict`;
}

/** @throws ApiError `invalid_ip` */
function ipIn({ params }: Request): string {
  const ip = parseIp(String(params['ip']));
  if (ip === undefined) throw new ApiError('invalid_ip', 'not an IPv4 or IPv6 address');
  return ip;
}

function portSettingsIn(request: Request): { enabled: boolean; maxLeases: number | undefined } {
  const { enabled, max_leases: maxLeases } = request.body as RequestBody<'setUdpSettings'>;
  return { enabled, maxLeases };
}
