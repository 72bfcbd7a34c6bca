/**
 * The page's only script: what it does, the page does without it by a request. Inline, and allowed by its hash. It reads nothing
 * of tenants but text that is on the page, to hide what does not match.
 */
export const landingScript = `
'use strict';
const form = document.getElementById('builder');
const command = document.getElementById('command');
const build = () => {
  const { kind, port, name } = form.elements;
  const number = /^[1-9]\\d{0,4}$/.test(port.value) ? port.value : '3000';
  const what = { web: number, folder: './dist', tcp: '--tcp ' + number, udp: '--udp ' + number }[kind.value];
  const label = /^[A-Za-z0-9-]+$/.test(name.value) ? ' --name ' + name.value.toLowerCase() : '';
  command.textContent = 'portal expose ' + what + label + ' ' + form.dataset.relay;
};
form.addEventListener('input', build);
form.addEventListener('submit', (event) => event.preventDefault());
form.querySelector('button').remove();
if (navigator.clipboard) {
  const copy = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Copy' });
  copy.addEventListener('click', () => navigator.clipboard.writeText(command.textContent).then(() => { copy.textContent = 'Copied'; }, () => { copy.textContent = 'Select it, and copy it yourself'; }));
  form.append(copy);
}
const search = document.querySelector('#search input');
search?.addEventListener('input', () => {
  const wanted = search.value.trim().toLowerCase();
  for (const card of document.querySelectorAll('.services > li')) card.hidden = !card.textContent.toLowerCase().includes(wanted);
});
`;
