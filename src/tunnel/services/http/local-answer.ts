import { htmlPage } from '../html-page.js';
import { type Field, field } from './message/fields.js';

/** An answer of the tunnel itself. */
export interface LocalAnswer {
  status: number;
  reason: string;
  fields: Field[];
  body: Buffer;
}

export interface AnswerOptions {
  fields?: Field[];
}

const reasons: Record<number, string> = {
  200: 'OK',
  303: 'See Other',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  413: 'Content Too Large',
  421: 'Misdirected Request',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
};

export function plainAnswer(status: number, text: string, options: AnswerOptions = {}): LocalAnswer {
  return answer(status, 'text/plain; charset=utf-8', text, options);
}

/** @param page its texts are HTML */
export function pageAnswer(
  { status, title, text }: { status: number; title: string; text: string },
  options: AnswerOptions = {},
): LocalAnswer {
  return htmlAnswer(status, htmlPage(title, `<p>${text}</p>`), options);
}

/** @param html a whole page */
export function htmlAnswer(status: number, html: string, options: AnswerOptions = {}): LocalAnswer {
  return answer(status, 'text/html; charset=utf-8', html, options);
}

export function jsonAnswer(status: number, value: unknown, options: AnswerOptions = {}): LocalAnswer {
  return answer(status, 'application/json', JSON.stringify(value), options);
}

function answer(status: number, type: string, text: string, { fields = [] }: AnswerOptions): LocalAnswer {
  const body = Buffer.from(text);
  return {
    status,
    reason: reasons[status] ?? '',
    fields: [
      field('Content-Type', type),
      field('Content-Length', String(body.length)),
      field('Cache-Control', 'no-store'),
      ...fields,
    ],
    body,
  };
}

/** The service is down. */
export const unavailableAnswer = pageAnswer(
  {
    status: 503,
    title: 'Service unavailable',
    text: 'The tunnel to this name is up, but the service behind it does not answer. Please try again in a moment.',
  },
  { fields: [field('Retry-After', '5')] },
);

/** The visitor's address is not allowed. */
export const forbiddenAnswer = pageAnswer({
  status: 403,
  title: 'Not allowed',
  text: 'The owner of this name does not let your network address in.',
});
