import { type Instance, render } from 'ink';
import { AgentStore } from '../../agent/client/agent-store.js';
import type { AgentClient } from '../../agent/client/agent-client.js';
import { App, type AppProps } from './app.js';
import { DashboardModel, type ModelOptions } from './model.js';

export interface DashboardOptions extends Pick<ModelOptions, 'resolveTarget'>, Pick<AppProps, 'qrCode'> {
  /** Finds the agent, anew each time; undefined when none runs. */
  connect(): Promise<AgentClient | undefined>;
}

// The alternate screen of a terminal (xterm's private modes): what was there before is there again afterwards.
const enter = '\x1b[?1049h\x1b[H';
const leave = '\x1b[?1049l';

/** Shows the dashboard until the user leaves it. */
export async function runDashboard({ connect, resolveTarget, qrCode }: DashboardOptions): Promise<void> {
  const store = new AgentStore(connect);
  const following = store.run();
  let app: Instance | undefined;
  const exit = () => app?.unmount();
  process.stdout.write(enter);
  // However it ends, the terminal is left as it was.
  process.on('SIGINT', exit).on('SIGTERM', exit).on('SIGHUP', exit);
  try {
    const model = new DashboardModel(store, { resolveTarget, exit });
    app = render(<App {...{ store, model, qrCode }} />, { patchConsole: false });
    await app.waitUntilExit();
  } finally {
    process.off('SIGINT', exit).off('SIGTERM', exit).off('SIGHUP', exit);
    process.stdout.write(leave);
    store.stop();
    await following;
  }
}
