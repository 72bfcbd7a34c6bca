/** A whole page. @param title and body are HTML */
export function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<body style="font: 1rem/1.5 system-ui, sans-serif; margin: 15vh auto; max-width: 32rem; padding: 0 1rem">
<h1 style="font-size: 1.4rem">${title}</h1>
${body}
</body>
</html>
`;
}
