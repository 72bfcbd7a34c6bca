/** Adds the search to a page: what matches, by section. The index is loaded when somebody is about to search. */
import MiniSearch from 'minisearch';

const most = 12;
const place = document.getElementById('search');
const input = Object.assign(document.createElement('input'), {
  type: 'search',
  placeholder: 'Search',
  autocomplete: 'off',
});
input.setAttribute('aria-label', 'Search the documentation');
input.setAttribute('aria-controls', 'found');
const list = Object.assign(document.createElement('ul'), { id: 'found', hidden: true });
const status = Object.assign(document.createElement('p'), { className: 'unseen' });
status.setAttribute('role', 'status');
place.append(input, list, status);

let index;
const load = () =>
  (index ??= import(new URL('search-index.js', import.meta.url)).then(({ sections }) => {
    const search = new MiniSearch({
      fields: ['heading', 'title', 'text'],
      storeFields: ['heading', 'title', 'href'],
      searchOptions: {
        boost: { heading: 4, title: 2 },
        prefix: true,
        fuzzy: (term) => (term.length > 5 ? 0.15 : false),
        combineWith: 'AND',
      },
    });
    search.addAll(sections);
    return search;
  }));

async function show() {
  const wanted = input.value.trim().slice(0, 100);
  const found = wanted === '' ? [] : (await load()).search(wanted).slice(0, most);
  if (wanted !== input.value.trim().slice(0, 100)) return;
  list.replaceChildren(
    ...found.map(({ href, heading, title }) => {
      const link = Object.assign(document.createElement('a'), { href, textContent: heading });
      if (heading !== title) link.append(Object.assign(document.createElement('small'), { textContent: title }));
      const item = document.createElement('li');
      item.append(link);
      return item;
    }),
  );
  if (wanted !== '' && found.length === 0)
    list.append(Object.assign(document.createElement('li'), { textContent: 'Nothing found.' }));
  list.hidden = wanted === '';
  status.textContent = wanted === '' ? '' : `${found.length} found`;
}

input.addEventListener('focus', () => void load());
input.addEventListener('input', () => void show());
place.addEventListener('keydown', (event) => {
  const links = [...list.querySelectorAll('a')];
  const at = links.indexOf(document.activeElement);
  if (event.key === 'Escape') {
    input.value = '';
    void show();
    input.focus();
  } else if (event.key === 'ArrowDown' && links.length > 0) links[(at + 1) % links.length].focus();
  else if (event.key === 'ArrowUp' && at >= 0) (at === 0 ? input : links[at - 1]).focus();
  else if (event.key === 'Enter' && document.activeElement === input && links.length > 0) links[0].click();
  else return;
  event.preventDefault();
});
