/** Markup, told apart from text by its type: only what `html` made goes into a page as it is. */
export class Html {
  constructor(readonly text: string) {}
}

type Part = Html | string | number | undefined | Part[];

/** Puts values into markup. Whatever is not markup itself becomes text: escaped, and without what could pose as more. */
export function html(markup: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(markup.map((piece, index) => piece + (index < parts.length ? render(parts[index]) : '')).join(''));
}

function render(part: Part): string {
  if (part instanceof Html) return part.text;
  if (Array.isArray(part)) return part.map(render).join('');
  return part === undefined ? '' : escape(asPlainText(String(part)));
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] as string);
}

/**
 * Text that stays in its place: what reorders the text around it (Unicode's Bidi_Control), breaks lines, controls, or is no
 * character at all becomes U+FFFD.
 */
export function asPlainText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, '\ufffd');
}
