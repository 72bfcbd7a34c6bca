import { Box, Text, useInput, useStdout } from 'ink';
import { useEffect, useState, useSyncExternalStore } from 'react';
import type { AgentStore } from '../../agent/client/agent-store.js';
import { plain } from '../../util/human.js';
import { Details } from './details.js';
import { Form } from './form.js';
import { type DashboardModel, tabs } from './model.js';
import { ServiceList } from './service-list.js';
import { useAgent, useClock } from '../hooks/use-agent.js';

export interface AppProps {
  store: AgentStore;
  model: DashboardModel;
  /** Lines of text, with colours. */
  qrCode(text: string): string[];
}

const keys = 'Up/Down  Tab  a add  c change  s start/stop  r restart  x remove  / find  q quit';

/** The dashboard: services above, one of them below. It is one line shorter than the terminal, so that nothing scrolls. */
export function App({ store, model, qrCode }: AppProps) {
  const { connection, status } = useAgent(store);
  const { tab, filter, mode, form, message } = useSyncExternalStore(model.subscribe, model.state);
  const { rows, columns } = useSize();
  useClock(1_000);
  useInput((input, key) => model.press(input, key));
  if (!status) return <Text>{connectionTexts[connection]}</Text>;
  const tunnels = model.tunnels();
  const current = model.current();
  const height = Math.max(8, rows - 1);
  // A QR code needs the room.
  const isCode = tab === 'QR code' && !form;
  const listRows = isCode ? 0 : Math.min(tunnels.length + 1, Math.max(2, Math.floor((height - 5) / 2)));
  const finding = `find: ${filter}${mode === 'find' ? '_' : '  (/ and Esc shows all)'}`;
  const bottom =
    mode === 'remove'
      ? `remove ${current?.id} from the configuration? y or n`
      : message || (mode === 'find' || filter !== '' ? finding : '');
  return (
    <Box flexDirection="column" height={height} width={columns}>
      <Text wrap="truncate">
        <Text bold>Portal agent</Text> {status.version} {status.control_addr}{' '}
        {connection === 'connected' ? `services: ${status.tunnels.length}` : connectionTexts[connection]}
      </Text>
      {isCode ? null : (
        <>
          <Text wrap="truncate" color={status.config_error ? 'red' : 'gray'}>
            {plain(status.config_error ? `not followed: ${status.config_error}` : status.config_path)}
          </Text>
          <ServiceList store={store} tunnels={tunnels} selected={current?.id} rows={listRows} />
        </>
      )}
      <Text wrap="truncate">
        {tabs.map((each, index) => (
          <Text key={each} bold={each === tab}>
            {each === tab ? `[${index + 1} ${each}]` : ` ${index + 1} ${each} `}
          </Text>
        ))}
      </Text>
      {form ? (
        <Form {...form} />
      ) : (
        <>
          <Details
            {...{ store, status, tab, columns, qrCode }}
            tunnel={current}
            rows={height - listRows - (isCode ? 4 : 5)}
          />
          <Text wrap="truncate">{plain(bottom)}</Text>
          <Text wrap="truncate" dimColor>
            {keys}
          </Text>
        </>
      )}
    </Box>
  );
}

const connectionTexts = {
  connecting: 'asking the agent …',
  connected: '',
  lost: 'the agent does not answer: waiting for it (Ctrl-C leaves)',
  refused: 'the agent does not accept the token: waiting (Ctrl-C leaves)',
};

function useSize(): { rows: number; columns: number } {
  const { stdout } = useStdout();
  const [size, setSize] = useState({ rows: stdout.rows || 24, columns: stdout.columns || 80 });
  useEffect(() => {
    const look = () => setSize({ rows: stdout.rows || 24, columns: stdout.columns || 80 });
    stdout.on('resize', look);
    return () => void stdout.off('resize', look);
  }, [stdout]);
  return size;
}
