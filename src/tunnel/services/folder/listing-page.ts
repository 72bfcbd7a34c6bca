import { htmlPage } from '../html-page.js';

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => escapes[character] as string);
}

/**
 * @param names of the folder's entries; a folder's ends with a slash
 * @param isCut there are more
 */
export function listingPage(path: string, names: string[], isCut: boolean): string {
  const up = path === '/' ? [] : ['../'];
  const items = [...up, ...names].map((name) => {
    const isFolder = name.endsWith('/');
    const bare = isFolder ? name.slice(0, -1) : name;
    // "./" so that a name with a colon is not read as a scheme.
    const link = `./${bare === '..' ? bare : encodeURIComponent(bare)}${isFolder ? '/' : ''}`;
    return `<li><a href="${escape(link)}">${escape(name)}</a>`;
  });
  const more = isCut ? '\n<p>There are more files than are listed here.</p>' : '';
  return htmlPage(escape(`Files in ${path}`), `<ul>\n${items.join('\n')}\n</ul>${more}`);
}
