const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => escapes[character] as string);
}

/** @param names of the folder's entries; a folder's ends with a slash */
export function listingPage(path: string, names: string[]): string {
  const title = escape(`Files in ${path}`);
  const up = path === '/' ? [] : ['../'];
  const items = [...up, ...names].map((name) => {
    const isFolder = name.endsWith('/');
    const bare = isFolder ? name.slice(0, -1) : name;
    // "./" so that a name with a colon is not read as a scheme.
    const link = `./${bare === '..' ? bare : encodeURIComponent(bare)}${isFolder ? '/' : ''}`;
    return `<li><a href="${escape(link)}">${escape(name)}</a>`;
  });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<body style="font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 48rem; padding: 0 1rem">
<h1 style="font-size: 1.4rem">${title}</h1>
<ul>
${items.join('\n')}
</ul>
</body>
</html>
`;
}
