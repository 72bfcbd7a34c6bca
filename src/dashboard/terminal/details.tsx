import { Box, Text } from 'ink';
import type { AgentStore } from '../../agent/client/agent-store.js';
import type { AgentRequestLine, AgentStatus, AgentTunnel } from '../../agent/contract.js';
import { duration, plain, size } from '../../util/human.js';
import type { Tab } from './model.js';
import { useLog, useRequests, useSettings } from '../hooks/use-agent.js';

interface DetailsProps {
  store: AgentStore;
  status: AgentStatus;
  tunnel: AgentTunnel | undefined;
  tab: Tab;
  rows: number;
  columns: number;
  qrCode(text: string): string[];
}

/** What is known of the selected service. */
export function Details({ store, status, tunnel, tab, rows, columns, qrCode }: DetailsProps) {
  const lines = useLines(store, status, tunnel, tab, qrCode);
  const isCode = tab === 'QR code' && lines.length > 1;
  const fits = !isCode || (lines.length <= rows && columns >= 2 * lines.length);
  const shown = fits ? lines : ['the terminal is too small for the QR code'];
  // Of what goes on, the end; of what stands, the beginning.
  const part = tab === 'Relays' || tab === 'Settings' || isCode ? shown.slice(0, rows) : shown.slice(-rows);
  return (
    <Box flexDirection="column" height={rows} flexShrink={0} overflow="hidden">
      {part.map((line, index) => (
        <Text key={index} wrap="truncate">
          {line}
        </Text>
      ))}
    </Box>
  );
}

function useLines(
  store: AgentStore,
  status: AgentStatus,
  tunnel: AgentTunnel | undefined,
  tab: Tab,
  qrCode: (text: string) => string[],
): string[] {
  const id = tunnel?.id;
  const requests = useRequests(store, tab === 'Requests' ? id : undefined);
  const log = useLog(store, tab === 'Log' ? id : undefined);
  const settings = useSettings(store, tab === 'Settings' ? id : undefined, tunnel);
  if (tab === 'Notices')
    return orNone(
      status.notices.map(({ time, message }) => `${clock(time)} ${plain(message)}`),
      'no notices since the agent was started',
    );
  if (!tunnel) return ['no services yet: press a to add one'];
  switch (tab) {
    case 'Requests':
      return [trafficOf(tunnel), ...requests.map(requestLine)];
    case 'Relays':
      return relayLines(tunnel);
    case 'Log':
      return orNone(
        log.map(({ time, message }) => `${clock(time)} ${plain(message)}`),
        'nothing has happened yet',
      );
    case 'Settings':
      return settings.map(({ name, value, from }) => `${name.padEnd(18)} ${plain(String(value))}  (${from})`);
    case 'QR code': {
      const url = tunnel.relays.flatMap(({ public_url: each = '' }) => each).find((each) => each.startsWith('https:'));
      return url === undefined ? ['there is no public URL at the moment'] : [...qrCode(url), url];
    }
  }
}

function trafficOf({ traffic }: AgentTunnel): string {
  const { connections, requests, failed, received, sent } = traffic;
  return `requests: ${requests}, connections: ${connections}, failed: ${failed}; ${size(received)} in, ${size(sent)} out`;
}

function requestLine({ started_at: at, method, target, status, took_ms: took, error }: AgentRequestLine): string {
  const outcome = status === undefined ? (error === undefined ? '…' : 'broke off') : String(status);
  return `${clock(at)} ${outcome} ${plain(method)} ${plain(target)}${took === undefined ? '' : ` ${duration(took)}`}`;
}

function relayLines({
  relays,
  multi_hop: path,
  certificate_expires_at: end,
  last_error: fault,
}: AgentTunnel): string[] {
  return [
    ...relays.map((relay) => {
      const state = relay.banned
        ? 'not used again'
        : relay.connecting
          ? 'connecting'
          : relay.public_url
            ? 'up'
            : 'not in use';
      const latency = relay.latency_ms === undefined ? '' : `, ${duration(relay.latency_ms)}`;
      const origin = relay.explicit ? '' : ', discovered';
      const offers = [
        relay.supports_tcp ? 'TCP ports' : '',
        relay.supports_udp ? 'UDP ports' : '',
        relay.supports_overlay ? 'paths' : '',
      ].filter(Boolean);
      const extras = offers.length === 0 ? '' : `, offers ${offers.join(', ')}`;
      return `${plain(relay.relay_url)} ${state}${latency}${origin}${extras}`;
    }),
    ...relays.flatMap(({ public_urls: urls = [] }) => urls.map((url) => `  ${plain(url)}`)),
    ...(path.length === 0 ? [] : [`path: ${path.map(plain).join(' -> ')}`]),
    ...(end === undefined ? [] : [`certificate until ${end.slice(0, 10)}`]),
    ...(fault === undefined ? [] : [`last fault: ${plain(fault)}`]),
  ];
}

const orNone = (lines: string[], none: string) => (lines.length === 0 ? [none] : lines);

/** In the reader's time zone. */
function clock(time: string): string {
  return new Date(time).toTimeString().slice(0, 8);
}
