import type { Index } from '../index/link.js';
import type { Fn } from '../index/names.js';
import type { CfgNode, FunctionFacts, TestOp } from '../parse/facts.js';

/**
 * What tells that a stand-in is handed out instead of a real object, in a start function
 * (`if (!journal || (sbi->s_mount_state & REPLAY)) return stand_in();`): tests of members, one side of which ends in a stand-in only.
 * Where the same member is tested elsewhere, that side does not run if what is started is a real object.
 */
export class StandIns {
  /** Member, and how it is tested → the side on which there are stand-ins only. */
  private readonly sides = new Map<string, number>();

  constructor(
    private readonly index: Index,
    makers: readonly Fn[],
    returnsStandIn: (fn: Fn, node: number) => boolean,
  ) {
    const starts = makers.flatMap((fn) => index.callers[fn.id]!.map((edge) => index.functions[edge.from]!));
    for (const fn of new Set(starts)) {
      const { cfg } = fn.facts;
      for (const { op, next } of cfg) {
        const key = op.k === 'test' ? this.key(fn, op) : '';
        if (key === '' || next.length !== 2) continue;
        const isStandIn = next.map((to) => endsOf(cfg, to).every((end) => returnsStandIn(fn, end)));
        if (isStandIn[0] !== isStandIn[1]) this.sides.set(key, isStandIn[0] ? 0 : 1);
      }
    }
  }

  /** The function as it is where all objects are real ones. */
  without(fn: Fn): FunctionFacts {
    if (this.sides.size === 0) return fn.facts;
    let changed = false;
    const cfg = fn.facts.cfg.map((node): CfgNode => {
      const side = node.op.k === 'test' ? this.sides.get(this.key(fn, node.op)) : undefined;
      if (side === undefined || node.next.length !== 2) return node;
      changed = true;
      return { ...node, op: { k: 'nop' }, next: [node.next[1 - side]!] };
    });
    // Packed facts have their members on the prototype.
    return changed ? (Object.create(fn.facts, { cfg: { value: cfg } }) as FunctionFacts) : fn.facts;
  }

  /** The member that is tested, and how; `''` where it is something else. */
  private key(fn: Fn, { on, rel, flags }: TestOp): string {
    if (rel !== 'nz' && !flags) return '';
    const member = this.index.locks.lockClass(fn, on);
    return /^\w+\.\w+$/.test(member) ? `${member} ${flags?.join('|') ?? rel}` : '';
  }
}

/** The returns that a node leads to; the exit where the end of the body is reached. */
function endsOf(cfg: readonly CfgNode[], from: number): number[] {
  const seen = new Set([from]);
  for (const node of seen) for (const to of cfg[node]!.next) if (cfg[node]!.op.k !== 'ret') seen.add(to);
  return [...seen].filter((node) => node === 1 || cfg[node]!.op.k === 'ret');
}
