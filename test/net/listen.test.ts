import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { listen, portOf } from '../../src/net/listen.js';
import { runProgram } from '../support/programs.js';
import { requireTool } from '../support/tools.js';

test('a burst of connections has room to wait in', { skip: process.platform !== 'linux' }, async (t) => {
  const ss = await requireTool('ss');
  const server = createServer();
  t.after(() => server.close());
  await listen(server, { host: '127.0.0.1', port: 0 });
  const { stdout } = await runProgram(ss, ['-Hltn', `sport = :${portOf(server)}`]);
  // Of a listening socket, Send-Q is how many may wait to be accepted.
  const [, , mayWait] = stdout.toString().trim().split(/\s+/);
  const allowed = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
  assert.equal(Number(mayWait), Math.min(4_096, allowed));
});
