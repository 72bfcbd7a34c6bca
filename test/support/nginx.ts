import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { TestRelay } from './relay.js';
import { requireTool } from './tools.js';
import { temporaryDirectory } from './tunnel.js';

export interface ProxyOptions {
  port: number;
  relay: TestRelay;
  /** Value of the Upgrade header that nginx passes on, from the client's `$http_upgrade`; none: it drops all upgrades. */
  passes: 'every upgrade' | 'websocket' | 'none';
  /** A response header that nginx removes. */
  hides?: string | undefined;
}

/** nginx in front of a relay's API: it ends TLS with the relay's certificate and passes requests on. Ended with the test. */
export async function startNginx(t: TestContext, { port, relay, passes, hides }: ProxyOptions): Promise<void> {
  const nginx = await requireTool('nginx');
  const dir = temporaryDirectory(t);
  const upgrades = {
    'every upgrade': 'default $http_upgrade;',
    websocket: 'websocket websocket; default "";',
    none: 'default "";',
  };
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${dir}/${kind};`);
  const file = join(dir, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off; user root; worker_processes 1; pid ${dir}/nginx.pid; error_log ${dir}/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  ${temp.join(' ')}
  map $http_upgrade $passed { ${upgrades[passes]} }
  map $passed $hop { "" close; default upgrade; }
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${relay.config.stateDir}/development-cert.pem;
    ssl_certificate_key ${relay.config.stateDir}/development-key.pem;
    location / {
      proxy_pass https://127.0.0.1:${relay.apiPort};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $passed;
      proxy_set_header Connection $hop;
      proxy_read_timeout 1h;
      proxy_buffering off;
      ${hides === undefined ? '' : `proxy_hide_header ${hides};`}
    }
  }
}
`,
  );
  const child = spawn(nginx, ['-c', file, '-p', dir, '-e', join(dir, 'error.log')], { stdio: 'ignore' });
  t.after(async () => {
    if (child.exitCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
  });
  while (!(await listens(port))) {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`);
  }
}

export async function listens(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  const outcome = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'error').then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return outcome;
}
