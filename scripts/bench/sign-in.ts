import { once } from 'node:events';
import { request } from 'node:https';
import { Wallet, hexlify, randomBytes } from 'ethers';
import type { HttpRequest } from './http-load.js';

/** A relay's API as a stranger's client sees it. */
export interface Api {
  port: number;
  rootHost: string;
  /** PEM */
  ca: string;
  /** Source address of the calls, where it matters. */
  localAddress?: string;
}

interface Envelope {
  ok: boolean;
  data: Record<string, string>;
}

/** A lease of a fresh identity, by challenge and signature. */
export async function newLease(
  api: Api,
  { name, ttlSeconds }: { name: string; ttlSeconds: number },
): Promise<{ token: string }> {
  const wallet = new Wallet(hexlify(randomBytes(32)));
  const identity = { name, address: wallet.address };
  const { data } = await post(api, '/sdk/register/challenge', { identity, ttl: ttlSeconds });
  const { challenge_id, siwe_message } = data;
  const siwe_signature = await wallet.signMessage(siwe_message!);
  const registered = await post(api, '/sdk/register', { challenge_id, siwe_message, siwe_signature });
  return { token: registered.data['access_token']! };
}

/** @returns the whole answer */
export async function tunnelStatus(api: Api, token: string, path: string): Promise<Envelope> {
  return await send(api, { method: 'GET', path, headers: { 'x-portal-access-token': token } });
}

async function post(api: Api, path: string, body: object): Promise<Envelope> {
  const headers = { 'content-type': 'application/json' };
  return await send(api, { method: 'POST', path, headers, body: JSON.stringify(body) });
}

async function send(api: Api, { method, path, headers, body }: HttpRequest): Promise<Envelope> {
  const { port, rootHost, ca, localAddress } = api;
  const sent = request({
    ...{ host: '127.0.0.1', port, servername: rootHost, ca, localAddress, agent: false, method, path },
    headers: { Host: rootHost, ...headers },
  });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [NodeJS.ReadableStream & { statusCode: number }];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  if (response.statusCode >= 300) throw new Error(`${path}: ${response.statusCode} ${text}`);
  return JSON.parse(text) as Envelope;
}
