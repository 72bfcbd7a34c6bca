import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Page } from 'playwright-core';
import type { ExposeOptions } from '../../src/tunnel/index.js';
import { startServer } from '../support/processes.js';
import { freePort, sharedRelay } from '../support/relay.js';
import { startBrowser } from '../support/trusting-browser.js';
import { get, openTunnel, temporaryDirectory } from '../support/tunnel.js';

// As people run them, without a setting for the tunnel (docs/programs.md). `npm run test:programs` installs them.

const installed = process.env['PORTAL_TEST_PROGRAMS'] ?? '';
const npmProgram = (name: string) => join(installed, 'node_modules', '.bin', name);
const pythonProgram = (name: string) => join(installed, 'python', 'bin', name);

const relay = sharedRelay();
const asItIs = { http: true } satisfies Partial<ExposeOptions>;
const rewritten = { http: true, hostHeader: 'rewrite' } satisfies Partial<ExposeOptions>;

/** A project that finds what is installed. */
function project(t: TestContext, files: Record<string, string>): string {
  const folder = temporaryDirectory(t);
  symlinkSync(join(installed, 'node_modules'), join(folder, 'node_modules'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

async function openPage(t: TestContext, port: number, options: Partial<ExposeOptions>, path = '/'): Promise<Page> {
  const { url } = await openTunnel(t, relay, port, options);
  const page = await (await startBrowser(t, relay)).newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(url + path);
  return page;
}

/** Whether a change shows in the page that is open, and the page was not loaded anew. */
async function seesChange(page: Page, change: () => void, text: string): Promise<void> {
  await page.evaluate(() => Object.assign(globalThis, { isSamePage: true }));
  change();
  await page.getByText(text).waitFor();
  assert.equal(await page.evaluate(() => 'isSamePage' in globalThis), true);
}

for (const [name, options] of [
  ['as it is', asItIs],
  ['with --host-header rewrite', rewritten],
] as const) {
  test(`Vite ${name}: page and hot module replacement`, async (t) => {
    const script = (text: string) =>
      `document.querySelector('main').textContent = '${text}'; import.meta.hot.accept();`;
    const folder = project(t, {
      'index.html': '<!doctype html><main></main><script type="module" src="/main.js"></script>',
      'main.js': script('first'),
    });
    const port = await freePort();
    const args = [folder, '--port', String(port), '--strictPort', '--clearScreen', 'false'];
    await startServer(t, npmProgram('vite'), args, 'ready in');
    const page = await openPage(t, port, options);
    await page.getByText('first').waitFor();
    await seesChange(page, () => writeFileSync(join(folder, 'main.js'), script('second')), 'second');
  });

  test(`Next.js ${name}: page, server action and hot module replacement`, async (t) => {
    const start = (text: string) => `import Form from './form'
export default function Start() { return <main>${text} <Form/></main> }`;
    const folder = project(t, {
      'package.json': '{"private":true}',
      'app/layout.js': 'export default function Layout({ children }) { return <html><body>{children}</body></html> }',
      'app/page.js': start('first'),
      'app/actions.js': `'use server'\nexport async function act() { return 'acted' }`,
      'app/form.js': `'use client'
import { useState } from 'react'
import { act } from './actions'
export default function Form() {
  const [said, say] = useState('')
  return <button onClick={async () => say(await act())}>go {said}</button>
}`,
    });
    const port = await freePort();
    // Its default bundler takes no modules from outside of the project.
    const args = ['dev', folder, '--webpack', '--port', String(port)];
    await startServer(t, npmProgram('next'), args, 'Ready in', { NEXT_TELEMETRY_DISABLED: '1' });
    const page = await openPage(t, port, options);
    await page.getByRole('button', { name: 'go' }).click();
    await page.getByText('acted').waitFor();
    await seesChange(page, () => writeFileSync(join(folder, 'app/page.js'), start('second')), 'second');
  });

  test(`Streamlit ${name}: page and widgets`, async (t) => {
    const folder = project(t, {
      'app.py': `import streamlit as st
st.write('first')
if st.button('press'):
    st.write('pressed it')
`,
    });
    const port = await freePort();
    const args = ['run', join(folder, 'app.py'), '--server.port', String(port), '--server.headless', 'true'];
    await startServer(t, pythonProgram('streamlit'), [...args, '--browser.gatherUsageStats', 'false'], 'URL');
    const page = await openPage(t, port, options);
    await page.getByText('first').waitFor();
    await page.getByRole('button', { name: 'press' }).click();
    await page.getByText('pressed it').waitFor();
  });

  test(`Gradio ${name}: page and forms`, async (t) => {
    const folder = project(t, {
      'app.py': `import os
import gradio
gradio.Interface(fn=lambda name: 'hello ' + name, inputs='text', outputs='text').launch(server_port=int(os.environ['PORT']))
`,
    });
    const port = await freePort();
    const env = { PORT: String(port), GRADIO_ANALYTICS_ENABLED: 'False', PYTHONUNBUFFERED: '1' };
    await startServer(t, pythonProgram('python'), [join(folder, 'app.py')], 'Running on', env);
    const page = await openPage(t, port, options);
    await page.getByRole('textbox').first().fill('zoe');
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.waitForFunction(`document.querySelectorAll('textarea')[1]?.value === 'hello zoe'`);
  });
}

test('webpack-dev-server: the page as it is, hot module replacement with client.webSocketURL', async (t) => {
  const script = (text: string) => `document.querySelector('main').textContent = '${text}'; module.hot.accept();`;
  const folder = project(t, {
    'public/index.html': '<!doctype html><main></main><script src="/main.js"></script>',
    'src/index.js': script('first'),
  });
  const port = await freePort();
  const config = (client: string) => `module.exports = {
  mode: 'development', devServer: { static: ${JSON.stringify(join(folder, 'public'))}, port: ${port}, ${client} },
}`;
  writeFileSync(join(folder, 'as-it-is.config.js'), config(''));
  writeFileSync(join(folder, 'set.config.js'), config(`client: { webSocketURL: 'auto://0.0.0.0:0/ws' }`));
  await t.test('as it is', async (t) => {
    await startWebpack(t, folder, 'as-it-is.config.js');
    const page = await openPage(t, port, asItIs);
    await page.getByText('first').waitFor();
  });
  for (const options of [asItIs, rewritten]) {
    await t.test(`with client.webSocketURL, ${JSON.stringify(options)}`, async (t) => {
      writeFileSync(join(folder, 'src/index.js'), script('first'));
      await startWebpack(t, folder, 'set.config.js');
      const page = await openPage(t, port, options);
      await page.getByText('first').waitFor();
      await seesChange(page, () => writeFileSync(join(folder, 'src/index.js'), script('second')), 'second');
    });
  }
});

async function startWebpack(t: TestContext, folder: string, config: string): Promise<void> {
  const file = join(folder, config);
  const args = ['serve', '--config', file, '--context', folder, '--entry', join(folder, 'src/index.js')];
  await startServer(t, npmProgram('webpack'), args, 'compiled successfully');
}

test('Jupyter Server with --host-header rewrite: a kernel over WebSocket; refused without', async (t) => {
  const folder = project(t, {});
  const port = await freePort();
  const args = ['server', '--no-browser', '--allow-root', `--port=${port}`, `--notebook-dir=${folder}`];
  const env = {
    JUPYTER_TOKEN: 'secret',
    JUPYTER_DATA_DIR: join(folder, 'data'),
    JUPYTER_RUNTIME_DIR: join(folder, 'run'),
  };
  await startServer(t, pythonProgram('jupyter'), args, 'is running at', env);
  const { hostname } = await openTunnel(t, relay, port, asItIs);
  assert.equal((await get(relay, hostname, '/api/kernels?token=secret')).status, 403);
  const page = await openPage(t, port, rewritten, '/login?token=secret');
  const xsrf = (await page.context().cookies()).find(({ name }) => name === '_xsrf')?.value ?? '';
  const printed = await page.evaluate(async (xsrf) => {
    const headers = { 'X-XSRFToken': xsrf, 'Content-Type': 'application/json' };
    const started = await fetch('/api/kernels', { method: 'POST', headers, body: '{}' });
    const { id } = (await started.json()) as { id: string };
    const socket = new WebSocket(`/api/kernels/${id}/channels`);
    return await new Promise<string>((resolve, reject) => {
      socket.onerror = () => reject(new Error('the WebSocket failed'));
      socket.onopen = () => {
        const header = { msg_id: 'one', msg_type: 'execute_request', username: '', session: 'one', version: '5.3' };
        const content = { code: 'print(6 * 7)', silent: false, store_history: false, user_expressions: {} };
        const message = { header, parent_header: {}, metadata: {}, content, channel: 'shell', buffers: [] };
        socket.send(JSON.stringify(message));
      };
      socket.onmessage = ({ data }) => {
        const { msg_type, content } = JSON.parse(data as string) as { msg_type: string; content: { text: string } };
        if (msg_type === 'stream') resolve(content.text);
      };
    });
  }, xsrf);
  assert.equal(printed, '42\n');
});
