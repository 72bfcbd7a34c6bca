import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { certificateFiles } from '../support/certificates.js';
import { startResolvingProxy } from '../support/http-proxies.js';
import { startServer } from '../support/processes.js';
import { runProgram } from '../support/programs.js';
import { freePort, sharedRelay } from '../support/relay.js';
import { requireTool } from '../support/tools.js';
import { get, openTunnel, send, temporaryDirectory } from '../support/tunnel.js';

// Programs as people run them, without a setting for the tunnel (docs/programs.md).

const relay = sharedRelay({ ownCertificates: true });

async function startDjango(t: TestContext): Promise<number> {
  const django = await requireTool('django-admin');
  const folder = temporaryDirectory(t);
  await runProgram(django, ['startproject', 'site_of_test', folder]);
  const options = ['--settings', 'site_of_test.settings', '--pythonpath', folder];
  await runProgram(django, ['migrate', '--verbosity', '0', ...options]);
  const account = { DJANGO_SUPERUSER_USERNAME: 'zoe', DJANGO_SUPERUSER_PASSWORD: 'secret', DJANGO_SUPERUSER_EMAIL: '' };
  const create = ['createsuperuser', '--noinput', '--email', 'zoe@example.com', ...options];
  await runProgram(django, create, { env: { ...process.env, ...account } });
  const port = await freePort();
  await startServer(t, django, ['runserver', `127.0.0.1:${port}`, '--noreload', ...options], 'Quit the server', {
    PYTHONUNBUFFERED: '1',
  });
  return port;
}

test('Django’s admin is logged in to with --host-header rewrite', async (t) => {
  const { hostname } = await openTunnel(t, relay, await startDjango(t), { http: true, hostHeader: 'rewrite' });
  const form = await get(relay, hostname, '/admin/login/?next=/admin/');
  assert.equal(form.status, 200);
  const token = /name="csrfmiddlewaretoken" value="(\w+)"/.exec(form.body)?.[1] ?? '';
  const origin = `https://${hostname}:${relay.publicPort}`;
  const fields = { csrfmiddlewaretoken: token, username: 'zoe', password: 'secret', next: '/admin/' };
  const logIn = async (Cookie: string) =>
    await send(relay, hostname, '/admin/login/?next=/admin/', String(new URLSearchParams(fields)), {
      method: 'POST',
      headers: {
        'Content-Type': 'application/x-www-form-urlencoded',
        Cookie,
        Origin: origin,
        Referer: `${origin}/admin/login/`,
      },
    });
  const answer = await logIn(String(form.headers['set-cookie']).split(';')[0]!);
  assert.deepEqual([answer.status, answer.headers.location], [302, '/admin/']);
  assert.match(String(answer.headers['set-cookie']), /sessionid=/);
  // Without the cookie it is somebody else's form.
  assert.equal((await logIn('')).status, 403);
});

test('Flask’s redirects by url_for lead to the public name with --host-header rewrite', async (t) => {
  const flask = await requireTool('flask');
  const folder = temporaryDirectory(t);
  const app = join(folder, 'app.py');
  writeFileSync(
    app,
    `from flask import Flask, redirect, url_for
app = Flask(__name__)
@app.route('/')
def start():
    return redirect(url_for('end', _external=True))
@app.route('/end')
def end():
    return 'the end'
`,
  );
  const port = await freePort();
  await startServer(t, flask, ['--app', app, 'run', '--port', String(port)], 'Running on');
  const { hostname, url } = await openTunnel(t, relay, port, { http: true, hostHeader: 'rewrite' });
  const { status, headers } = await get(relay, hostname, '/');
  assert.deepEqual([status, headers.location], [302, `${url}/end`]);
});

/** An image of one layer, as a folder (OCI Image Layout). */
function imageLayout(folder: string): { blobs: string[] } {
  const blobs: string[] = [];
  const blob = (content: Buffer | object, mediaType: string) => {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const digest = createHash('sha256').update(bytes).digest('hex');
    mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
    writeFileSync(join(folder, 'blobs/sha256', digest), bytes);
    blobs.push(digest);
    return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
  };
  const oci = (kind: string) => `application/vnd.oci.image.${kind}`;
  // Nobody unpacks it.
  const layer = blob(gzipSync(randomBytes(20_000_000)), oci('layer.v1.tar+gzip'));
  const rootfs = { type: 'layers', diff_ids: [layer.digest] };
  const config = blob({ architecture: 'amd64', os: 'linux', config: {}, rootfs }, oci('config.v1+json'));
  const body = { schemaVersion: 2, mediaType: oci('manifest.v1+json'), config, layers: [layer] };
  const manifest = blob(body, oci('manifest.v1+json'));
  const annotations = { 'org.opencontainers.image.ref.name': 'test' };
  writeFileSync(
    join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  writeFileSync(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  return { blobs };
}

test('an image is pushed to a docker registry and pulled from it, by HTTP/1.1 and by HTTP/2', async (t) => {
  const [registry, skopeo] = [await requireTool('docker-registry'), await requireTool('skopeo')];
  const folder = temporaryDirectory(t);
  const port = await freePort();
  const storage = `storage: {filesystem: {rootdirectory: ${join(folder, 'data')}}}`;
  writeFileSync(join(folder, 'registry.yml'), `version: 0.1\n${storage}\nhttp: {addr: '127.0.0.1:${port}'}\n`);
  await startServer(t, registry, ['serve', join(folder, 'registry.yml')], 'listening on');
  const { blobs } = imageLayout(join(folder, 'image'));
  const { certFile, keyFile, certPem, remove } = await certificateFiles('registry-h2.portal.localhost');
  t.after(remove);
  // It resolves names under localhost by the system, which may not know them.
  const env = { HTTPS_PROXY: `http://127.0.0.1:${(await startResolvingProxy(t)).port}` };
  for (const [name, ca, ownCertificate] of [
    ['registry-h1', relay.ca, undefined],
    ['registry-h2', certPem, { cert: certFile, key: keyFile }],
  ] as const) {
    await openTunnel(t, relay, port, { http: true, name, ownCertificate });
    const trusted = join(folder, name, 'certs');
    mkdirSync(trusted, { recursive: true });
    writeFileSync(join(trusted, 'ca.crt'), ca);
    const place = `docker://${name}.${relay.rootHost}:${relay.publicPort}/test/${name}:1`;
    const back = join(folder, name, 'image');
    for (const [flag, from, to] of [
      ['--dest-cert-dir', `oci:${join(folder, 'image')}:test`, place],
      ['--src-cert-dir', place, `oci:${back}:test`],
    ] as const) {
      const { code, stderr } = await runProgram(skopeo, ['--insecure-policy', 'copy', flag, trusted, from, to], {
        env,
      });
      assert.equal(code, 0, stderr);
    }
    for (const blob of blobs)
      assert.ok(
        readFileSync(join(back, 'blobs/sha256', blob)).equals(readFileSync(join(folder, 'image/blobs/sha256', blob))),
      );
  }
});
