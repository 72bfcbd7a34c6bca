// The page of the inspector. It is one file without foreign parts, so that it works offline and under a strict policy.

export const inspectStyle = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); --soft: color-mix(in srgb, currentColor 7%, transparent); --dim: color-mix(in srgb, currentColor 62%, transparent); }
* { box-sizing: border-box; }
body { margin: 0; font: 14px/1.45 system-ui, sans-serif; height: 100vh; display: grid; grid-template: auto 1fr / minmax(20rem, 2fr) 3fr; }
header { grid-column: 1 / -1; display: flex; gap: .5rem; align-items: center; padding: .5rem .75rem; border-bottom: 1px solid var(--line); flex-wrap: wrap; }
h1 { font-size: 1rem; margin: 0 .5rem 0 0; }
input, button, select, textarea { font: inherit; color: inherit; }
button { padding: .2rem .7rem; border: 1px solid var(--line); border-radius: .3rem; background: var(--soft); cursor: pointer; }
button:focus-visible, input:focus-visible, tr:focus-visible, textarea:focus-visible, a:focus-visible { outline: 2px solid #2563eb; outline-offset: 1px; }
#filter { flex: 1; min-width: 10rem; padding: .2rem .5rem; border: 1px solid var(--line); border-radius: .3rem; background: transparent; }
#list { overflow: auto; border-right: 1px solid var(--line); }
table { border-collapse: collapse; width: 100%; }
#list td, #list th { padding: .25rem .5rem; text-align: left; white-space: nowrap; }
#list th { position: sticky; top: 0; background: Canvas; font-weight: 500; color: var(--dim); }
#list td:nth-child(3) { max-width: 0; width: 100%; overflow: hidden; text-overflow: ellipsis; }
#list tbody tr { cursor: pointer; border-top: 1px solid var(--line); }
#list tbody tr[aria-selected=true] { background: color-mix(in srgb, #2563eb 22%, transparent); }
#detail { overflow: auto; padding: .75rem 1rem; min-width: 0; }
h2 { font-size: 1rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h3 { font-size: .9rem; margin: 1rem 0 .25rem; }
#detail td { padding: .1rem .75rem .1rem 0; vertical-align: top; overflow-wrap: anywhere; }
#detail td:first-child { color: var(--dim); white-space: nowrap; }
pre { margin: 0; padding: .5rem; background: var(--soft); border-radius: .3rem; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 24rem; overflow: auto; }
textarea { width: 100%; min-height: 12rem; font-family: ui-monospace, monospace; background: transparent; border: 1px solid var(--line); border-radius: .3rem; }
.bad { color: light-dark(#b91c1c, #f87171); } .good { color: light-dark(#15803d, #4ade80); } .dim { color: var(--dim); }
.actions { display: flex; gap: .5rem; flex-wrap: wrap; margin: .5rem 0; }
img { max-width: 100%; max-height: 20rem; background: repeating-conic-gradient(#8884 0 25%, transparent 0 50%) 0 0 / 16px 16px; }
@media (max-width: 50rem) { body { grid-template: auto 45vh 1fr / 1fr; } #list { border-right: 0; border-bottom: 1px solid var(--line); } }
`;

export const inspectScript = `
'use strict';
const byId = new Map();
let chosen;
let detail;
let showsSecrets = false;
const $ = (id) => document.getElementById(id);

function element(name, props, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(props || {})) key in made ? (made[key] = value) : made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

async function call(path, options) {
  const response = await fetch(path, options);
  if (!response.ok) throw new Error((await response.text()).trim());
  return response;
}

function say(text, isBad) {
  $('status').textContent = text;
  $('status').className = isBad ? 'bad' : 'dim';
}

function size(bytes) {
  return bytes < 1024 ? bytes + ' B' : bytes < 1048576 ? (bytes / 1024).toFixed(1) + ' KB' : (bytes / 1048576).toFixed(1) + ' MB';
}

function fits({ method, target, status, type, from, error }) {
  return $('filter').value.toLowerCase().split(/\\s+/).filter(Boolean).every((word) => {
    const [key, value] = word.split(':');
    if (key === 'status' && value) return String(status || '').startsWith(value);
    if (key === 'method' && value) return method.toLowerCase() === value;
    if (word === 'error') return error !== undefined || status >= 400;
    return [method, target, String(status), type, from].join(' ').toLowerCase().includes(word);
  });
}

function row(each) {
  const status = each.error !== undefined ? '✕' : each.status || '…';
  const line = element('tr', { tabIndex: 0 },
    element('td', { className: each.status >= 400 || each.error !== undefined ? 'bad' : 'good' }, String(status)),
    element('td', {}, each.method + (each.repeats ? ' ↻' : '')),
    element('td', { title: each.target }, each.target),
    element('td', { className: 'dim' }, each.tookMs === undefined ? '' : Math.round(each.tookMs) + ' ms'),
    element('td', { className: 'dim' }, new Date(each.startedAt).toLocaleTimeString()));
  line.setAttribute('aria-selected', String(each.id === chosen));
  line.dataset.id = each.id;
  return line;
}

let isDrawing = false;
function draw() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    const shown = [...byId.values()].filter(fits).reverse();
    $('rows').replaceChildren(...shown.map(row));
    $('empty').hidden = shown.length > 0;
    $('empty').textContent = byId.size > 0 ? 'No request fits the filter.' : 'No request has come yet. Open the public address.';
    $('count').textContent = shown.length + (shown.length === 1 ? ' request' : ' requests');
  });
}

function bodyView(body) {
  if (body.length === 0) return element('p', { className: 'dim' }, 'No body.');
  const note = size(body.length) + (body.type ? ', ' + body.type : '') + (body.isCut ? '; only the beginning was kept' : '');
  let view;
  if (body.text !== undefined) view = element('pre', {}, body.text);
  else if (body.type.startsWith('image/')) view = element('img', { src: 'data:' + body.type.split(';')[0] + ';base64,' + body.base64, alt: 'body' });
  else view = element('pre', {}, atob(body.base64).replace(/[^\\x20-\\x7e\\n]/g, '.'));
  return element('div', {}, element('p', { className: 'dim' }, note), view);
}

function fieldsView(fields) {
  return element('table', {}, element('tbody', {}, ...fields.map(([name, value]) =>
    element('tr', {}, element('td', {}, name), element('td', {}, value)))));
}

function messagesView(messages) {
  const line = ({ direction, kind, text, length }) => element('tr', {},
    element('td', {}, (direction === 'in' ? '→ ' : '← ') + kind),
    element('td', {}, text + (length > text.length ? ' … ' + size(length) : '')));
  return element('table', {}, element('tbody', {}, ...messages.map(line)));
}

function button(text, action) {
  return element('button', { type: 'button', onclick: () => action().catch((error) => say(error.message, true)) }, text);
}

async function replay(changes) {
  await call('/exchanges/' + detail.id + '/replay', { method: 'POST', body: changes ? JSON.stringify(changes) : undefined });
  say('Sent again.');
}

async function editor() {
  const { request, method, target } = await (await call('/exchanges/' + detail.id + '?secrets=shown')).json();
  const head = [method + ' ' + target, ...request.fields.map(([name, value]) => name + ': ' + value)].join('\\n');
  const area = element('textarea', { value: head + '\\n\\n' + (request.body.text || ''), spellcheck: false, 'aria-label': 'request' });
  const send = button('Send', async () => {
    const [top, ...rest] = area.value.split('\\n\\n');
    const [first, ...lines] = top.split('\\n');
    const [method, target] = first.split(' ');
    const fields = lines.filter(Boolean).map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    });
    await replay({ method, target, fields, body: rest.join('\\n\\n') });
  });
  $('editor').replaceChildren(element('h3', {}, 'Change and send again'), area, element('div', { className: 'actions' }, send));
  area.focus();
}

function drawDetail() {
  if (!detail) return $('detail').replaceChildren(element('p', { className: 'dim' }, 'Choose a request.'));
  const { request, response, messages } = detail;
  const times = [detail.waitedMs === undefined ? undefined : 'answered after ' + detail.waitedMs + ' ms', detail.tookMs === undefined ? 'still open' : 'over after ' + detail.tookMs + ' ms'];
  const facts = [detail.from, ...times, detail.repeats && 'repeats request ' + detail.repeats].filter(Boolean).join(', ');
  $('detail').replaceChildren(
    element('h2', {}, detail.method + ' ' + detail.target),
    element('p', { className: 'dim' }, facts),
    detail.error === undefined ? '' : element('p', { className: 'bad' }, detail.error),
    element('div', { className: 'actions' },
      button('Send again', () => replay()),
      button('Change…', editor),
      button('Copy as curl', async () => {
        await navigator.clipboard.writeText(await (await call('/exchanges/' + detail.id + '/curl' + secrets())).text());
        say('Copied.');
      }),
      button(showsSecrets ? 'Hide secrets' : 'Show secrets', async () => {
        showsSecrets = !showsSecrets;
        await choose(detail.id);
      })),
    element('div', { id: 'editor' }),
    element('h3', {}, 'Request'), fieldsView(request.fields), bodyView(request.body),
    element('h3', {}, response ? 'Response: ' + response.status + ' ' + response.reason + (response.isLocal ? ' (by the tunnel)' : '') : 'No response yet'),
    ...(response ? [fieldsView(response.fields), bodyView(response.body)] : []),
    ...(messages.length > 0 ? [element('h3', {}, 'Messages'), messagesView(messages)] : []));
}

function secrets() {
  return showsSecrets ? '?secrets=shown' : '';
}

async function choose(id) {
  chosen = id;
  draw();
  try {
    detail = await (await call('/exchanges/' + id + secrets())).json();
  } catch (error) {
    detail = undefined;
    say(error.message, true);
  }
  drawDetail();
}

async function load() {
  const all = await (await call('/exchanges')).json();
  byId.clear();
  for (const each of all) byId.set(each.id, each);
  draw();
}

$('rows').addEventListener('click', ({ target }) => {
  const line = target.closest('tr');
  if (line) choose(Number(line.dataset.id));
});
$('rows').addEventListener('keydown', (event) => {
  const line = event.target.closest('tr');
  if (event.key === 'Enter') choose(Number(line.dataset.id));
  const next = event.key === 'ArrowDown' ? line.nextElementSibling : event.key === 'ArrowUp' ? line.previousElementSibling : undefined;
  if (next) { event.preventDefault(); next.focus(); }
});
$('filter').addEventListener('input', draw);
$('clear').addEventListener('click', () => call('/exchanges', { method: 'DELETE' }).then(() => {
  byId.clear();
  detail = undefined;
  draw();
  drawDetail();
}, (error) => say(error.message, true)));

const events = new EventSource('/events');
events.onopen = () => { say(''); load().catch((error) => say(error.message, true)); };
events.onerror = () => say('The tunnel has ended, or its page cannot be reached.', true);
events.onmessage = ({ data }) => {
  const each = JSON.parse(data);
  byId.set(each.id, each);
  while (byId.size > 500) byId.delete(byId.keys().next().value);
  draw();
  if (each.id === chosen && !$('editor').hasChildNodes()) choose(each.id);
};
drawDetail();
`;

export const inspectPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Requests</title>
<style>${inspectStyle}</style>
<header>
<h1>Requests</h1>
<input id="filter" type="search" placeholder="Filter: words, status:5, method:post, error" aria-label="Filter">
<span id="count" class="dim"></span>
<a href="/requests.har" download>HAR</a>
<button id="clear" type="button">Clear</button>
<span id="status" class="dim" role="status"></span>
</header>
<main id="list">
<table><thead><tr><th>Status</th><th>Method</th><th>Path</th><th>Time</th><th>At</th></tr></thead><tbody id="rows"></tbody></table>
<p id="empty" class="dim">No request has come yet. Open the public address.</p>
</main>
<section id="detail" aria-label="Details"></section>
<script>${inspectScript}</script>
</html>
`;
