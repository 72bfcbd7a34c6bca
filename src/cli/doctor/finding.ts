export interface Finding {
  level: 'ok' | 'warning' | 'problem';
  about: string;
  message: string;
}

export type Tell = (level: Finding['level'], about: string, message: string) => void;
