import type { Case } from './document.js';

interface Exception {
  reason: string;
  covers(this: void, answer: Case): boolean;
}

const id =
  (...ids: string[]) =>
  (answer: Case) =>
    ids.includes(answer.id);

/**
 * What the mock cannot do. May only get shorter: a test fails for an entry that the mock has learnt, and for an answer more than
 * `mockCannotAnswer` allows.
 */
export const mockCannot: Exception[] = [
  { reason: 'it switches no connection', covers: id('openReverseSession 101', 'openReverseSession 200') },
  { reason: 'it has no pictures', covers: id('getThumbnail 200') },
];
export const mockCannotAnswer = 3;

/** The same for answers of paths, which are of no operation: it has its own words for these. */
export const mockHasOwnWordsFor = ['an unknown path', 'a wrong method'];

/**
 * What the relay cannot answer because that part of it is not built. Take an entry out when its part lands, and say in `causes.ts` what
 * brings its answers about. A test fails for an entry whose operations are built.
 */
export const notBuilt: Exception[] = [];
