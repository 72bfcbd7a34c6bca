import { clearInterval, setInterval } from 'node:timers';
import { createServer, request as httpRequest } from 'node:http';
import { sampleSeconds, samplesOf } from './console.mjs';
import { Refusal } from './refusal.mjs';
import { MockState } from './state.mjs';
import { scenarios } from './scenarios.mjs';

const maxBodyBytes = 256 * 1024;
const maxAnswerBytes = 16 * 1024 * 1024;
const methods = ['get', 'post', 'delete', 'put', 'patch'];
/** Begins another scenario; not a path of the contract. */
const control = /^\/mock\/scenario\/([a-z]+)$/;

/**
 * A server before Prism: Prism holds requests against the contract and has an example of every answer; where a scenario has a state, its answers take the
 * place of examples. Requests with `Prefer` go to Prism alone.
 */
export function createLayer({ document, prism, scenario, anyOrigin }) {
  const state = new MockState(scenario);
  const routes = routesOf(document);
  return createServer((request, response) => {
    handle(request, response).catch((error) => {
      console.error(`mock: ${error.stack}`);
      if (!response.headersSent) refuse(response, new Refusal('internal', 'a fault of the mock', 500));
      else response.destroy();
    });
  });

  async function handle(request, response) {
    const url = new URL(request.url, 'http://mock');
    const path = url.pathname;
    const route = routes.find((each) => each.pattern.test(path) && each.has(request));
    if (allowOrigin(request, response, route)) return;
    const wanted = control.exec(path)?.[1];
    if (wanted !== undefined && request.method === 'POST') return restart(response, wanted);
    if (path === '/mock/scenarios') return json(response, 200, list());
    // Endless, so that Prism cannot say it.
    if (route?.operation.operationId === 'followRelay' && request.headers.prefer === undefined)
      return follow(request, response, url, route);
    const body = await bodyOf(request);
    if (body === undefined) return refuse(response, new Refusal('invalid_request', 'the body is too large', 413));
    const answer = await ask(prism, request, body);
    const { operation } = route ?? {};
    if (request.headers.prefer !== undefined || !operation || answer.status >= 400) return pass(response, answer);
    try {
      const made = state.answer(operation.operationId, requestOf(request, url, route, body));
      if (made === undefined) return pass(response, answer);
      const { data, headers = {} } = 'headers' in made ? made : { data: made };
      json(response, answer.status, { ok: true, data }, headers);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refuse(response, error);
    }
  }

  function requestOf(request, url, { operation, pattern, names }, body) {
    const session = /(?:^|;\s*)portal_admin=([^;]*)/.exec(request.headers.cookie ?? '')?.[1];
    const needsSession = operation.security?.some((scheme) => 'admin_session' in scheme);
    if (needsSession && !state.sessions.has(session)) throw new Refusal('unauthorized', 'sign in first', 401);
    const values = pattern.exec(url.pathname).slice(1).map(decodeURIComponent);
    return {
      body: body.length > 0 ? JSON.parse(body.toString()) : {},
      token: request.headers['x-portal-access-token'],
      session,
      query: url.searchParams,
      params: Object.fromEntries(names.map((name, index) => [name, values[index]])),
      origin: `http://${request.headers.host ?? '127.0.0.1'}`,
    };
  }

  /** Samples and decisions as they come, for as long as the page is there. */
  function follow(request, response, url, route) {
    try {
      requestOf(request, url, route, Buffer.alloc(0));
    } catch (error) {
      return refuse(response, error);
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    let { seq } = state;
    const send = (event, data) => response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    const samples = setInterval(() => send('sample', samplesOf(state, 1)[0]), sampleSeconds * 1000);
    const decisions = setInterval(() => {
      for (const entry of state.audit) if (entry.seq > seq) send('decision', entry);
      ({ seq } = state);
    }, 500);
    response.once('close', () => {
      clearInterval(samples);
      clearInterval(decisions);
    });
  }

  function restart(response, name) {
    try {
      state.reset(name);
      json(response, 200, list());
    } catch (error) {
      refuse(response, error);
    }
  }

  function list() {
    const known = Object.entries(scenarios).map(([name, { about }]) => [name, about]);
    return { scenario: state.name, scenarios: Object.fromEntries(known) };
  }

  /** As on a relay: any origin for operations marked `x-cors`, none for others. @returns whether the request is answered */
  function allowOrigin(request, response, route) {
    const wantsMethod = request.headers['access-control-request-method'];
    const target =
      request.method === 'OPTIONS' && wantsMethod
        ? routes.find(
            (each) => each.pattern.test(new URL(request.url, 'http://mock').pathname) && each.method === wantsMethod,
          )
        : route;
    if (anyOrigin || target?.operation['x-cors']) {
      response.setHeader('Access-Control-Allow-Origin', '*');
      response.setHeader('Access-Control-Expose-Headers', 'Retry-After, Date');
    }
    if (request.method !== 'OPTIONS' || !wantsMethod) return false;
    if (response.hasHeader('Access-Control-Allow-Origin')) {
      response.setHeader('Access-Control-Allow-Methods', wantsMethod);
      response.setHeader('Access-Control-Allow-Headers', request.headers['access-control-request-headers'] ?? '*');
    }
    response.writeHead(204).end();
    return true;
  }
}

function routesOf({ paths }) {
  return Object.entries(paths).flatMap(([path, item]) =>
    methods
      .filter((method) => item[method])
      .map((method) => ({
        operation: item[method],
        method: method.toUpperCase(),
        names: [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
        pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '([^/]+)')}$`),
        has: (request) => request.method === method.toUpperCase(),
      })),
  );
}

async function bodyOf(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > maxBodyBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** What Prism answers. */
function ask(prism, { method, url, headers }, body) {
  return new Promise((resolve, reject) => {
    // CORS is the layer's own.
    const rest = Object.fromEntries(
      Object.entries(headers).filter(([name]) => !['origin', 'connection'].includes(name)),
    );
    const sent = httpRequest(
      new URL(url, prism),
      { method, headers: { ...rest, 'content-length': body.length } },
      (answer) => {
        const chunks = [];
        let length = 0;
        answer.on('data', (chunk) => {
          length += chunk.length;
          if (length > maxAnswerBytes) answer.destroy(new Error('Prism answers too much'));
          chunks.push(chunk);
        });
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

function pass(response, { status, headers, body }) {
  for (const [name, value] of Object.entries(headers))
    if (!/^(?:access-control-|connection$|transfer-encoding$|content-length$|keep-alive$)/.test(name))
      response.setHeader(name, value);
  response.writeHead(status).end(body);
}

function json(response, status, value, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
}

function refuse(response, { code, message, status }) {
  json(response, status, { ok: false, error: { code, message } });
}
