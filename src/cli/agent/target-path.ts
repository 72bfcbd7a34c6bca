import { resolve } from 'node:path';
import { mapTargetPath } from '../../tunnel/services/upstream/target.js';

/** A folder or a socket is meant as seen from here; the agent has another working directory. */
export const resolveTarget = (target: string) => String(mapTargetPath(target, (path) => resolve(path)));
