import { Box, Text } from 'ink';
import type { AgentStore } from '../../agent/client/agent-store.js';
import type { AgentTunnel } from '../../agent/contract.js';
import { plain } from '../../util/human.js';

const colors: Record<AgentTunnel['state'], string> = {
  running: 'green',
  starting: 'yellow',
  error: 'red',
  stopped: 'gray',
};

interface ServiceListProps {
  store: AgentStore;
  tunnels: AgentTunnel[];
  selected: string | undefined;
  /** Lines, with the title. */
  rows: number;
}

/** A line for each service, those around the selected one. */
export function ServiceList({ store, tunnels, selected, rows }: ServiceListProps) {
  const at = Math.max(
    0,
    tunnels.findIndex(({ id }) => id === selected),
  );
  const room = Math.max(1, rows - 1);
  const first = Math.max(0, Math.min(at - Math.floor(room / 2), tunnels.length - room));
  const widest = (texts: string[], least: number, most: number) =>
    Math.min(most, Math.max(least, ...texts.map(({ length }) => length + 1)));
  const widths = {
    id: widest(
      tunnels.map(({ id }) => id),
      8,
      24,
    ),
    target: widest(
      tunnels.map(({ target_addr: target = '' }) => target),
      9,
      17,
    ),
  };
  return (
    <Box flexDirection="column" height={rows} flexShrink={0}>
      <Row widths={widths} cells={['SERVICE', 'STATE', 'REQ/S', 'TOTAL', 'LEADS TO', 'URL']} isTitle />
      {tunnels.slice(first, first + room).map((tunnel) => {
        const { id, state, traffic, target_addr: target = '-' } = tunnel;
        const total = traffic.requests || traffic.connections;
        return (
          <Row
            key={id}
            widths={widths}
            isSelected={id === selected}
            color={colors[state]}
            cells={[id, state, store.rate(id).toFixed(1), String(total), plain(target), urlOf(tunnel)]}
          />
        );
      })}
    </Box>
  );
}

function urlOf({ relays, last_error: fault, state }: AgentTunnel): string {
  const url = relays.flatMap(({ public_urls: urls = [] }) => urls)[0];
  return plain(url?.replace('https://', '') ?? (state === 'stopped' ? '' : (fault ?? '')));
}

interface RowProps {
  widths: { id: number; target: number };
  cells: [id: string, state: string, rate: string, total: string, target: string, url: string];
  isTitle?: boolean;
  isSelected?: boolean;
  color?: string;
}

function Row({ widths, cells: [id, state, rate, total, target, url], isTitle, isSelected, color }: RowProps) {
  const look = { bold: Boolean(isTitle || isSelected), wrap: 'truncate' as const };
  return (
    <Box>
      <Box width={2} flexShrink={0}>
        <Text>{isSelected ? '>' : ' '}</Text>
      </Box>
      <Box width={widths.id} flexShrink={0}>
        <Text {...look}>{id}</Text>
      </Box>
      <Box width={10} flexShrink={0}>
        <Text {...look} {...(color && { color })}>
          {state}
        </Text>
      </Box>
      <Box width={7} flexShrink={0}>
        <Text {...look}>{rate}</Text>
      </Box>
      <Box width={8} flexShrink={0}>
        <Text {...look}>{total}</Text>
      </Box>
      <Box width={widths.target} flexShrink={0} paddingRight={1}>
        <Text {...look}>{target}</Text>
      </Box>
      <Box flexGrow={1} flexShrink={1}>
        <Text {...look}>{url}</Text>
      </Box>
    </Box>
  );
}
