import type { Response } from 'express';
import { guard } from '../../util/boundary.js';
import type { AgentLogLine, AgentNotice, AgentRequestLine } from '../contract.js';
import type { Agent } from '../services/agent.js';
import type { CallLocals } from './access.js';
import { EventStream } from '../../http-api/event-stream.js';

/** Of the agent: its services as they change, its configuration, notices. */
export function followAgent(agent: Agent, response: Response): void {
  const first = agent.tunnels();
  const stream = new EventStream(response, mayGoOnOf(response));
  const sent = new Map<string, string>();
  const leave = () => response.destroy();
  const onChanged = guard(
    'agent event stream',
    (id: string) => {
      const tunnel = agent.tunnel(id);
      const text = JSON.stringify(tunnel);
      if (sent.get(id) === text) return;
      sent.set(id, text);
      stream.send('tunnel', tunnel);
    },
    leave,
  );
  const onRemoved = (id: string) => {
    sent.delete(id);
    stream.send('removed', { id });
  };
  const onConfiguration = (error: string | undefined) =>
    stream.send('configuration', error === undefined ? {} : { config_error: error });
  const onNotice = (notice: AgentNotice) => stream.send('notice', notice);
  for (const { id } of first) onChanged(id);
  agent.on('changed', onChanged).on('removed', onRemoved).on('configuration', onConfiguration);
  agent.notices.on('notice', onNotice);
  // boundary: cannot throw.
  response.once('close', () => {
    agent.off('changed', onChanged).off('removed', onRemoved).off('configuration', onConfiguration);
    agent.notices.off('notice', onNotice);
  });
}

/** @throws ApiError `not_found` */
export function followLog(agent: Agent, id: string, response: Response): void {
  const lines = agent.log(id);
  const { stream, onRemoved } = ofService(id, response);
  const onLine = (of: string, line: AgentLogLine) => {
    if (of === id) stream.send('line', line);
  };
  for (const line of lines) stream.send('line', line);
  agent.on('line', onLine).on('removed', onRemoved);
  // boundary: cannot throw.
  response.once('close', () => agent.off('line', onLine).off('removed', onRemoved));
}

/** @throws ApiError `not_found` */
export function followTraffic(agent: Agent, id: string, response: Response): void {
  const requests = agent.requests(id);
  const { stream, onRemoved } = ofService(id, response);
  const onRequest = (of: string, request: AgentRequestLine) => {
    if (of === id) stream.send('request', request);
  };
  for (const request of requests) stream.send('request', request);
  // boundary: as of the others, it only writes.
  agent.on('request', onRequest).on('removed', onRemoved);
  // boundary: cannot throw.
  response.once('close', () => agent.off('request', onRequest).off('removed', onRemoved));
}

/** A stream that ends with its service. */
function ofService(id: string, response: Response) {
  const stream = new EventStream(response, mayGoOnOf(response));
  const onRemoved = (removed: string) => {
    if (removed === id) stream.end();
  };
  return { stream, onRemoved };
}

function mayGoOnOf(response: Response): (() => boolean) | undefined {
  return (response.locals as Partial<CallLocals>).mayGoOn;
}
