/** Bytes from visitors to the tunnel (`up`), and back. */
export interface Traffic {
  up: number;
  down: number;
}
