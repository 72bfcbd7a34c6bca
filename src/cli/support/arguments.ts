import { parseArgs, type ParseArgsConfig } from 'node:util';
import { UsageError } from '../../sdk/calls/errors.js';

/** Splits a command line into options and positional words. @throws UsageError with one clear line */
export function parseArguments<Options extends NonNullable<ParseArgsConfig['options']>>(
  args: string[],
  options: Options,
): ReturnType<typeof parseArgs<{ args: string[]; allowPositionals: true; options: Options }>> {
  try {
    return parseArgs({ args, allowPositionals: true, options });
  } catch (error) {
    // The first sentence of Node's message names the fault; the rest is advice on quoting.
    throw new UsageError((error as Error).message.split(/\. |\n/)[0], { cause: error });
  }
}
