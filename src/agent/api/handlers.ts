import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import { ApiError, success } from '../../contract/index.js';
import { withoutUndefined } from '../../util/without-undefined.js';
import { RateLimit } from '../../http-api/rate-limit.js';
import type { AgentComponents, AgentOperationId, AgentRequest, AgentStatus } from '../contract.js';
import type { TomlTable } from '../configuration/toml-text.js';
import type { Agent } from '../services/agent.js';
import type { CallLocals } from './access.js';
import type { PageTokens } from './page-tokens.js';
import { followAgent, followLog, followTraffic } from './streams.js';
import type { WalletSessions } from './wallet-sessions.js';

/** Attempts to redeem a link, of all callers. */
const redeeming = { burst: 30, perSecond: 0.5 };

export interface HandlerOptions {
  agent: Agent;
  /** What the status says of the agent itself. */
  about: Pick<AgentStatus, 'config_path' | 'started_at' | 'version'>;
  /** Somebody asks the agent to end. */
  shutDown(): void;
  wallets: WalletSessions;
  pages: PageTokens;
  /** `127.0.0.1:4018` */
  address(): string;
}

export type Handler = (request: Request, response: Response) => Promise<void> | void;
type Schemas = AgentComponents['schemas'];

/** What each operation of the contract does. */
export function agentHandlers(options: HandlerOptions): Record<AgentOperationId, Handler> {
  return { ...agentItself(options), ...tunnels(options), ...traffic(options), ...auth(options) };
}

const idOf = ({ params }: Request) => params['id'] as string;
const answer = (response: Response, data: unknown, status = 200) => void response.status(status).json(success(data));
const accepted = (response: Response) => answer(response, { accepted: true }, 202);

function agentItself({ agent, about, shutDown, wallets, address }: HandlerOptions) {
  return {
    getAgentStatus: ({ headers }: Request, response: Response) => {
      const data: AgentStatus = withoutUndefined({
        ...about,
        control_addr: address(),
        config_error: agent.configError,
        wallet_address: wallets.walletOf(headers.cookie),
        notices: agent.notices.all,
        tunnels: agent.tunnels(),
      });
      answer(response, data);
    },
    getAgentConfiguration: (_request: Request, response: Response) => answer(response, agent.configuration()),
    followAgent: (_request: Request, response: Response) => followAgent(agent, response),
    shutDownAgent: (_request: Request, response: Response) => {
      accepted(response);
      response.once('finish', shutDown);
    },
  };
}

function tunnels({ agent }: HandlerOptions) {
  const setting =
    (changes: (request: Request) => TomlTable): Handler =>
    async (request, response) =>
      answer(response, await agent.set(idOf(request), changes(request)), 202);
  return {
    followTunnelLog: (request: Request, response: Response) => followLog(agent, idOf(request), response),
    addTunnel: async (request: Request, response: Response) =>
      answer(response, await agent.add(request.body as Schemas['NewTunnel']), 202),
    changeTunnel: setting((request) =>
      changesOf(request.body as Schemas['TunnelChange'], agent.targetKey(idOf(request))),
    ),
    removeTunnel: async (request: Request, response: Response) => {
      await agent.remove(idOf(request));
      accepted(response);
    },
    startTunnel: setting(() => ({ disabled: undefined })),
    stopTunnel: setting(() => ({ disabled: true })),
    restartTunnel: async (request: Request, response: Response) =>
      answer(response, await agent.restart(idOf(request)), 202),
    getTunnelLog: (request: Request, response: Response) => answer(response, { lines: agent.log(idOf(request)) }),
    addTunnelRelay: setting((request) => ({ relays: withRelay(agent.relays(idOf(request)), relayOf(request)) })),
    removeTunnelRelay: setting((request) => ({
      relays: withoutRelay(agent.relays(idOf(request)), relayOf(request)),
    })),
    setTunnelPath: setting(({ body }) => ({ hops: (body as Schemas['Path']).relays, max_relays: undefined })),
    clearTunnelPath: setting(() => ({ hops: undefined })),
  };
}

function traffic({ agent }: HandlerOptions) {
  const numberOf = ({ params }: Request) => Number(params['request']);
  const showsSecrets = ({ query }: Request, { locals }: Response) => {
    if (query['secrets'] !== 'shown') return false;
    // They would let a wallet that may look act as a visitor.
    if ((locals as CallLocals).isOwner !== true)
      throw new ApiError('unauthorized', 'secrets are shown to the owner alone');
    return true;
  };
  const gone = () => new ApiError('not_found', 'this request is no longer kept');
  return {
    listTunnelRequests: (request: Request, response: Response) => {
      const id = idOf(request);
      answer(response, { inspected: agent.tunnel(id).inspected, requests: agent.requests(id) });
    },
    clearTunnelRequests: (request: Request, response: Response) => {
      agent.clearRequests(idOf(request));
      accepted(response);
    },
    getTunnelRequest: (request: Request, response: Response) => {
      const inspector = agent.inspector(idOf(request));
      const detail = inspector.find(numberOf(request), showsSecrets(request, response));
      const curl = inspector.curl(numberOf(request), showsSecrets(request, response));
      if (!detail || curl === undefined) throw gone();
      const { startedAt, tookMs, waitedMs, from, messages, request: asked, response: given, ...rest } = detail;
      const data: AgentRequest = withoutUndefined({
        ...rest,
        started_at: new Date(startedAt).toISOString(),
        took_ms: tookMs,
        waited_ms: waitedMs,
        address: from,
        messages: messages.length,
        request: { fields: asked.fields, body: bodyOf(asked.body) },
        response: given && {
          reason: given.reason,
          is_local: given.isLocal,
          fields: given.fields,
          body: bodyOf(given.body),
        },
        socket_messages: messages.map(({ at, ...message }) => ({ ...message, time: new Date(at).toISOString() })),
        curl,
      });
      answer(response, data);
    },
    replayTunnelRequest: (request: Request, response: Response) => {
      const inspector = agent.inspector(idOf(request));
      if (!inspector.has(numberOf(request))) throw gone();
      try {
        inspector.replay(numberOf(request), request.body as Schemas['Replay']);
      } catch (error) {
        throw new ApiError('invalid_request', (error as Error).message, { cause: error });
      }
      accepted(response);
    },
    exportTunnelRequests: async (request: Request, response: Response) => {
      const inspector = agent.inspector(idOf(request));
      response.set({
        'Content-Type': 'application/json',
        'Content-Disposition': `attachment; filename="${idOf(request)}.har"`,
      });
      // Whoever asked may leave in the middle.
      await pipeline(inspector.har(showsSecrets(request, response)), response).catch(() => undefined);
    },
    followTunnelTraffic: (request: Request, response: Response) => followTraffic(agent, idOf(request), response),
  };
}

function bodyOf({ isCut, ...body }: { type: string; length: number; isCut: boolean; text?: string; base64?: string }) {
  return { ...body, is_cut: isCut };
}

function auth({ wallets, pages, address }: HandlerOptions) {
  const redemptions = new RateLimit(redeeming.burst, redeeming.perSecond);
  // The guard has seen that the Host is this machine.
  const siteOf = ({ headers }: Request) => new URL(`http://${headers.host}`);
  return {
    createAgentChallenge: (request: Request, response: Response) => {
      const { id, message, expiresAt } = wallets.challenge(
        siteOf(request),
        (request.body as Schemas['ChallengeRequest']).address,
      );
      const expires_at = new Date(expiresAt).toISOString();
      answer(response, { challenge_id: id, expires_at, siwe_message: message }, 201);
    },
    loginAgent: (request: Request, response: Response) => {
      const {
        challenge_id: id,
        siwe_message: message,
        siwe_signature: signature,
      } = request.body as Schemas['LoginRequest'];
      const { wallet, cookie } = wallets.login(siteOf(request), { id, message, signature });
      response.set('Set-Cookie', cookie);
      answer(response, { wallet_address: wallet });
    },
    logoutAgent: ({ headers }: Request, response: Response) => {
      response.set('Set-Cookie', wallets.logout(headers.cookie));
      answer(response, {});
    },
    getAgentLoginStatus: ({ headers }: Request, response: Response) => {
      const wallet = wallets.walletOf(headers.cookie);
      answer(response, { authenticated: wallet !== undefined, ...(wallet && { wallet_address: wallet }) });
    },
    createAgentLink: (_request: Request, response: Response) => {
      const { code, expiresAt } = pages.issueCode();
      const expires_at = new Date(expiresAt).toISOString();
      answer(response, { url: `http://${address()}/#code=${code}`, expires_at }, 201);
    },
    redeemAgentLink: (request: Request, response: Response) => {
      redemptions.take('');
      const { token, expiresAt } = pages.redeem((request.body as Schemas['PageCode']).code);
      answer(response, { token, expires_at: new Date(expiresAt).toISOString() });
    },
  };
}

/** Metadata is replaced as a whole: what is not given goes. */
function changesOf(
  { target_addr: target, inspect, max_active_relays: most, metadata }: Schemas['TunnelChange'],
  targetKey: string,
): TomlTable {
  const listed = ['description', 'owner', 'thumbnail', 'tags', 'hide'] as const;
  return {
    ...(target !== undefined && { [targetKey]: target }),
    ...(inspect !== undefined && { inspect: inspect || undefined }),
    ...(most !== undefined && { max_relays: most ?? undefined }),
    ...(metadata !== undefined && Object.fromEntries(listed.map((key) => [key, metadata?.[key]]))),
  };
}

/** @throws ApiError `invalid_request` for what is no URL of a relay */
function relayOf({ body }: Request): string {
  const { relay_url: url } = body as Schemas['RelayChoice'];
  if (!URL.canParse(url) || !url.startsWith('https://'))
    throw new ApiError('invalid_request', 'relay_url is https://host[:port]');
  return new URL(url).origin;
}

function withRelay(relays: string[], relay: string): string[] {
  if (relays.includes(relay)) throw new ApiError('invalid_request', `${relay} is used already`);
  return [...relays, relay];
}

function withoutRelay(relays: string[], relay: string): string[] {
  if (!relays.includes(relay)) throw new ApiError('invalid_request', `${relay} is not used`);
  if (relays.length === 1)
    throw new ApiError('invalid_request', 'this is the last relay of the service: remove or stop it instead');
  return relays.filter((each) => each !== relay);
}
