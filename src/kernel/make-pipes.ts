import { fileDescriptors } from '../util/open-files.js';
import { KernelError, type Libc, type Pipe } from './libc.js';

/** Pipes of one worker, for those pumps that move much at a time; fewer where few files may be open. */
const maxPipesPerWorker = 32;
const openFilesPerPipe = 128;
/** Capacity that a pipe should have: what one call moves. */
const pipeBytes = 262_144;
/** A pipe that holds less is not worth its calls: the system gives it when too many pipes are open. */
const leastPipeBytes = 65_536;

/** As many as the system has left: pumps copy when none is free. */
export function makePipes(libc: Libc): Pipe[] {
  const pipes: Pipe[] = [];
  const most = Math.min(maxPipesPerWorker, fileDescriptors().limit / openFilesPerPipe);
  try {
    while (pipes.length < most) {
      const pipe = libc.pipe(pipeBytes);
      if (pipe.bytes < leastPipeBytes) {
        libc.close(pipe.read);
        libc.close(pipe.write);
        break;
      }
      pipes.push(pipe);
    }
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
  }
  return pipes;
}
