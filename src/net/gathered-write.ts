/** Pieces of fewer bytes together are joined into one buffer, which costs less than writing each. */
const joinedBytes = 8_192;

type Callback = (error?: Error | null) => void;

export interface GatherTarget {
  write(bytes: Buffer, done?: Callback): boolean;
  cork(): void;
  uncork(): void;
}

/**
 * Writes several pieces so that they go out together: joined where they are small, corked where they are large.
 * @param done called when the last one has been passed on
 */
export function writeGathered(target: GatherTarget, pieces: readonly Buffer[], done?: Callback): void {
  const last = pieces.at(-1);
  if (!last) return done?.();
  if (pieces.length === 1) return void target.write(last, done);
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (length <= joinedBytes) return void target.write(Buffer.concat(pieces, length), done);
  target.cork();
  for (let index = 0; index < pieces.length - 1; index++) target.write(pieces[index] as Buffer);
  target.write(last, done);
  target.uncork();
}

/** The same bytes in as few pieces as can be had without copying a large one. */
export function joinSmall(pieces: Buffer[]): Buffer[] {
  if (pieces.length === 1) return pieces;
  const joined: Buffer[] = [];
  let small: Buffer[] = [];
  let length = 0;
  const join = () => {
    const [first] = small;
    if (length > 0 && first) joined.push(small.length === 1 ? first : Buffer.concat(small, length));
    small = [];
    length = 0;
  };
  for (const piece of pieces) {
    if (length + piece.length > joinedBytes) join();
    small.push(piece);
    length += piece.length;
  }
  join();
  return joined;
}
