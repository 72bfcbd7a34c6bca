export interface Finding {
  level: 'ok' | 'warning' | 'problem';
  about: string;
  message: string;
}

export type Tell = (level: Finding['level'], about: string, message: string) => void;

const marks = { ok: 'ok      ', warning: 'warning ', problem: 'PROBLEM ' };

/** Prints each finding as it is told: a line for people, or one of JSON. */
export function collectFindings(json: boolean): { tell: Tell; hasProblem(): boolean } {
  let problems = 0;
  return {
    tell(level, about, message) {
      if (level === 'problem') problems++;
      if (json) process.stdout.write(`${JSON.stringify({ level, about, message })}\n`);
      else process.stdout.write(`${marks[level]} ${about}: ${message}\n`);
    },
    hasProblem: () => problems > 0,
  };
}
