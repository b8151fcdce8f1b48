import type { CallOp, Path } from '../parse/facts.js';
import type { Fn, Names } from './names.js';
import type { Types } from './types.js';

/** Types of parameters that are no structs, so no pointer to one is handed in. */
const SCALAR =
  /^(?:(?:unsigned|signed|int|long|short|char|bool|(?:size|ssize|loff|sector|pgoff|gfp|dev|umode|u?intptr|resource_size|\w+_addr|u?int\d+|__kernel_\w+)_t|(?:__)?[us](?:8|16|32|64)|(?:__)?[lb]e(?:16|32|64))\s*)+$/;

/** Types of the parameters and of the result: tags and typedefs, pointers dropped; '' where unknown. */
export interface Signature {
  readonly params: readonly string[];
  readonly result: string;
}

export function signatureOf({ facts }: Fn): Signature {
  return { params: facts.params.map(([, type]) => type), result: facts.returnType };
}

/** What the type of a pointer says: `fn(inode,int) void`. */
export function writtenSignature(type: string): Signature | undefined {
  const match = /^fn\((.*)\) (.*)$/.exec(type);
  return match ? { params: match[1] === '' ? [] : match[1]!.split(','), result: match[2]! } : undefined;
}

/** What a call goes through, if that is a pointer; else ''. */
export function pointerCalled(types: Types, fn: Fn, op: CallOp): Path {
  if (op.fn === '') return types.isPointer(fn, op.target) ? op.target : '';
  const local = `v:${op.fn}`;
  // `max(a, b)` is a macro whatever variables there are.
  return types.isLocal(fn, op.fn) && !SCALAR.test(types.typeOf(fn, local)) ? local : '';
}

/** Whether a call through a pointer may lead to a function, by the number and types of parameters, as the kernel's control-flow integrity has it. */
export class Signatures {
  constructor(
    private readonly names: Names,
    private readonly types: Types,
  ) {}

  /** Is the pointer declared for functions of that type? */
  areAlike(pointer: Signature, { facts }: Fn): boolean {
    return (
      facts.isVariadic ||
      facts.broken ||
      (this.allAlike(pointer.params, facts.params, true) &&
        this.alike(pointer.result, facts.returnType, true))
    );
  }

  /** Does the function take what the call hands over? */
  takes({ facts }: Fn, from: Fn, op: CallOp): boolean {
    if (facts.isVariadic || facts.broken) return true;
    const given = op.args.map((arg) => this.given(from, arg));
    return this.allAlike(given, facts.params, false) && !(op.to !== '' && facts.returnType === 'void');
  }

  /** Type of an argument, '' where it is not known. */
  given(fn: Fn, arg: Path): string {
    return arg[0] === '#' ? '' : this.types.typeOf(fn, arg);
  }

  private allAlike(types: readonly string[], params: Fn['facts']['params'], declared: boolean): boolean {
    return (
      params.length === types.length && params.every(([, type], i) => this.alike(types[i]!, type, declared))
    );
  }

  /** May two names stand for one type? Where one is not `declared` but what an argument is, it may be handed to a pointer to void. */
  private alike(one: string, other: string, declared: boolean): boolean {
    const a = this.names.resolveTypedef(one);
    const b = this.names.resolveTypedef(other);
    const isKnown = (t: string): boolean => (t !== 'void' || declared) && this.names.isTag(t);
    // What the header of a typedef says that was not read, most probably a number.
    const mayBeNumber = (t: string): boolean =>
      SCALAR.test(t) || ((!declared || t.endsWith('_t')) && !this.names.isStruct(t));
    // A pointer to text is no number.
    const isText = (t: string): boolean => declared && t === 'char';
    return (
      a === b || !isKnown(a) || !isKnown(b) || (mayBeNumber(a) && mayBeNumber(b) && isText(a) === isText(b))
    );
  }
}
