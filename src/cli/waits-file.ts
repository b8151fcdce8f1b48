import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { GivenWait } from '../analysis/given-waits.js';
import { InputError } from '../tree/input-error.js';
import { reasonOf } from '../tree/kernel-tree.js';

const FIELD = /^\w+(?:\[\w*\])?(?:\.\w+(?:\[\w*\])?)*$/;
const FUNCTION = /^[A-Za-z_]\w*$/;

/**
 * Reads what `--waits` names, from `cwd`: a line for each wait, blank ones and what follows a `#` aside: the field, then `nobody`, or the
 * function that begins to hold it up and the one that ends that. Throws an `InputError` with the line where it is something else.
 */
export function readWaits(name: string, cwd: string): GivenWait[] {
  let text: string;
  try {
    text = readFileSync(path.resolve(cwd, name), 'utf8');
  } catch (error) {
    throw new InputError(`--waits ${name}: ${reasonOf(error)}`);
  }
  const waits: GivenWait[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    const place = `${name}:${i + 1}`;
    const words = line.replace(/#.*/, '').trim().split(/\s+/);
    const [on = '', takes = '', drops = ''] = words;
    if (on === '') continue;
    if (!FIELD.test(on))
      throw new InputError(`${place}: ${on} is no field: STRUCT.MEMBER, as reasons name it`);
    if (waits.some((other) => other.on === on)) throw new InputError(`${place}: ${on} stands there already`);
    if (words.length === 2 && takes === 'nobody') waits.push({ on, place });
    else if (words.length === 3 && takes !== 'nobody' && FUNCTION.test(takes) && FUNCTION.test(drops))
      waits.push({ on, held: { takes, drops }, place });
    else
      throw new InputError(
        `${place}: behind ${on} stands nobody, or the function that begins to hold it up and the one that ends that`,
      );
  }
  return waits;
}
