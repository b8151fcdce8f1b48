import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ALLOCATORS, gfpArgument, MASKLESS_ALLOCATORS, VMALLOC_SCOPE } from '../../src/kernel/allocators.js';
import { GUARD_CLASSES, GUARD_FORMS } from '../../src/kernel/guards.js';
import { HOOK_MACROS } from '../../src/kernel/hooks.js';
import {
  CREATORS,
  FILLED_BY,
  LAYERS,
  MOUNT_MEMBERS,
  MOUNTS,
  OF_A_FILESYSTEM_TYPE,
  ON_ANOTHER_FILESYSTEM,
  OVERWRITES,
  SUBMOUNTS,
} from '../../src/kernel/layers.js';
import { LOCK_TYPES, LOCKS, PAGE_LOCKS } from '../../src/kernel/locks.js';
import {
  DOWNGRADES,
  FLAG_RESTORERS,
  FLAG_SETTERS,
  MASK_CONSTRAINTS,
  MASKS,
  SCOPE_APIS,
  SCOPE_BY_TASK_FLAG,
} from '../../src/kernel/masks.js';
import { SAYINGS } from '../../src/kernel/naming.js';
import { MEMORY_FILES, WANTED_OF_OTHERS } from '../../src/kernel/openers.js';
import { PSEUDO_LOCKS } from '../../src/kernel/pseudo-locks.js';
import { ASSIGNED_TABLES, RECLAIM_ENTRIES } from '../../src/kernel/reclaim-contexts.js';
import { CALLBACK_FIELDS, REGISTRARS } from '../../src/kernel/tasks.js';
import { DECLARERS, ENDS_IO, QUEUERS, SOFTIRQ_QUEUES, WAITS, WAKES, WRITES } from '../../src/kernel/waits.js';
import { describeKernel, KERNEL_VERSIONS, type KernelVersion } from '../kernel-trees.js';

interface Named {
  readonly name: string;
  readonly source: string;
  readonly until?: string;
  readonly since?: string;
}

/** Every list whose entries name something that its source declares or defines. */
const LISTS: Readonly<Record<string, readonly Named[]>> = {
  locks: LOCKS,
  pageLocks: PAGE_LOCKS,
  guardForms: GUARD_FORMS,
  hookMacros: HOOK_MACROS,
  sayings: SAYINGS,
  allocators: ALLOCATORS,
  masklessAllocators: MASKLESS_ALLOCATORS,
  registrars: REGISTRARS,
  waits: WAITS,
  wakes: WAKES,
  declarers: DECLARERS,
  layers: LAYERS,
  creators: CREATORS,
  mounts: MOUNTS,
  filledBy: FILLED_BY,
  mountMembers: MOUNT_MEMBERS.map(({ member, source }) => ({
    name: member.slice(member.indexOf('.') + 1),
    source,
  })),
  submounts: SUBMOUNTS,
  queuers: QUEUERS,
  endsIo: ENDS_IO,
  softirqQueues: SOFTIRQ_QUEUES,
  writes: WRITES,
  overwrites: OVERWRITES,
  memoryFiles: MEMORY_FILES,
  wantedOfOthers: WANTED_OF_OTHERS.map(({ wants, source }) => ({
    name: wants.slice(wants.indexOf('.') + 1),
    source,
  })),
  masks: MASKS,
  maskConstraints: MASK_CONSTRAINTS,
  scopeSaves: SCOPE_APIS.map(({ save, source }) => ({ name: save, source })),
  scopeRestores: SCOPE_APIS.map(({ restore, source }) => ({ name: restore, source })),
  flagSetters: FLAG_SETTERS,
  flagRestorers: FLAG_RESTORERS,
  taskFlags: [...SCOPE_BY_TASK_FLAG.keys()].map((name) => ({ name, source: 'include/linux/sched.h' })),
  assignedTables: ASSIGNED_TABLES.flatMap(({ allocatedBy, registeredBy, source }) => [
    { name: allocatedBy, source },
    { name: registeredBy, source },
  ]),
};

/**
 * Entries that are not in a version, or not in that file of it; whatever is not here is in both.
 * Most of it: 6.12 defines the allocators as NAME_noprof and makes NAME a macro.
 */
const ABSENT: Readonly<Record<KernelVersion, readonly string[]>> = {
  '6.1': [
    'allocators bdev_getblk',
    'allocators folio_alloc_buffers',
    'allocators kmalloc_flex',
    'allocators kmalloc_obj',
    'allocators kmalloc_objs',
    'allocators kmem_buckets_alloc',
    'allocators kmem_buckets_valloc',
    'allocators kmemdup_array',
    'allocators kvcalloc_node',
    'allocators kvmalloc_flex',
    'allocators kvmalloc_obj',
    'allocators kvmalloc_objs',
    'allocators kvmemdup',
    'allocators kvzalloc_flex',
    'allocators kvzalloc_obj',
    'allocators kvzalloc_objs',
    'allocators kzalloc_flex',
    'allocators kzalloc_obj',
    'allocators kzalloc_objs',
    'allocators vrealloc',
    'assignedTables shrinker_alloc',
    'assignedTables shrinker_register',
    'endsIo folio_end_read',
    'flagRestorers memalloc_flags_restore',
    'flagSetters memalloc_flags_save',
    'guardForms scoped_cond_guard',
    'layers __alloc_pages_noprof',
    'layers __folio_alloc_noprof',
    'layers __folio_batch_release',
    'layers __kmalloc_cache_noprof',
    'layers __kmalloc_large_noprof',
    'layers __kmalloc_node_noprof',
    'layers __kmalloc_noprof',
    'layers __kvmalloc_node_noprof',
    'layers __vmalloc_node_noprof',
    'layers __vmalloc_node_range_noprof',
    'layers __vmalloc_noprof',
    'layers alloc_pages_bulk_noprof',
    'layers alloc_pages_exact_noprof',
    'layers alloc_pages_noprof',
    'layers folio_alloc_noprof',
    'layers folios_put_refs',
    'layers free_huge_folio',
    'layers get_free_pages_noprof',
    'layers get_zeroed_page_noprof',
    'layers kmalloc_node_noprof',
    'layers kmalloc_noprof',
    'layers kmem_cache_alloc_bulk_noprof',
    'layers kmem_cache_alloc_lru_noprof',
    'layers kmem_cache_alloc_node_noprof',
    'layers kmem_cache_alloc_noprof',
    'layers krealloc_noprof',
    'layers kvrealloc_noprof',
    'layers mempool_alloc_noprof',
    'layers pcpu_alloc_noprof',
    'layers vma_alloc_folio_noprof',
    'layers vmalloc_noprof',
    'layers vmalloc_user_noprof',
    'layers vzalloc_noprof',
    'registrars call_rcu_hurry',
    'softirqQueues system_bh_highpri_wq',
    'softirqQueues system_bh_wq',
    'waits disable_delayed_work_sync',
    'waits disable_work_sync',
    'waits kthread_stop_put',
    'wakes complete_on_current_cpu',
  ],
  '6.12': [
    'allocators __getblk_gfp',
    'endsIo end_buffer_async_write',
    'endsIo end_page_fscache',
    'endsIo page_endio',
    'layers __alloc_pages',
    'layers __alloc_pages_bulk',
    'layers __folio_alloc',
    'layers __get_free_pages',
    'layers __kmalloc',
    'layers __kmalloc_node',
    'layers __pagevec_release',
    'layers __vmalloc',
    'layers __vmalloc_node',
    'layers __vmalloc_node_range',
    'layers alloc_pages',
    'layers alloc_pages_exact',
    'layers folio_alloc',
    'layers free_huge_page',
    'layers get_zeroed_page',
    'layers kmalloc_large',
    'layers kmalloc_trace',
    'layers kmem_cache_alloc_bulk',
    'layers kmem_cache_alloc_lru',
    'layers mempool_alloc',
    'layers pcpu_alloc',
    'layers vma_alloc_folio',
    'layers vmalloc_user',
    'layers vzalloc',
    'layers walk_page_range_novma',
    'registrars call_rcu_tasks_rude',
  ],
};

/** Of pseudo-locks: functions of kernels before 6.1 and after 6.12. */
const OTHER_KERNELS: ReadonlySet<string> = new Set([
  'blk_mq_freeze_queue_nomemsave',
  'blk_mq_unfreeze_queue_nomemrestore',
  'dm_make_request',
  'scsi_request_fn',
]);

class Tree {
  readonly #root: string;
  readonly #texts = new Map<string, string>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Text of a file without its comments, or '' where the version has no such file. */
  text(file: string): string {
    let text = this.#texts.get(file);
    if (text === undefined) {
      try {
        text = readFileSync(join(this.#root, file), 'latin1').replace(/\/\*[\s\S]*?\*\//g, ' ');
      } catch {
        text = '';
      }
      this.#texts.set(file, text);
    }
    return text;
  }

  has(file: string, word: string): boolean {
    return new RegExp(`(?<!\\w)${word}(?!\\w)`).test(this.text(file));
  }

  /** Parameters as declared in `file`, macro or function, or undefined where it is not declared there. */
  parameters(file: string, name: string): string[] | undefined {
    const text = this.text(file);
    const declared = new RegExp(
      `^(?:#[ \\t]*define[ \\t]+${name}|(?:[a-z_][^\\n;={}]*[\\s*])?${name}[ \\t]*)\\(`,
      'gm',
    );
    for (const match of text.matchAll(declared)) {
      const parameters = split(text, match.index + match[0].length);
      if (parameters !== undefined) return parameters;
    }
    return undefined;
  }

  /** What stands before the name in its prototype in `file`: `static inline int`. */
  returns(file: string, name: string): string | undefined {
    return new RegExp(`^([a-z_][\\w\\s*]*[\\s*])${name}[ \\t]*\\(`, 'm').exec(this.text(file))?.[1];
  }

  /** Bodies of all `struct TAG {…}` in the headers where operation tables are declared. */
  structs(tag: string): string[] {
    const bodies: string[] = [];
    for (const file of this.#headers()) {
      const text = this.text(file);
      const at = text.search(new RegExp(`^struct ${tag}\\s*\\{`, 'm'));
      if (at >= 0) bodies.push(text.slice(at, text.indexOf('\n}', at)));
    }
    return bodies;
  }

  #headers(): string[] {
    const folders = ['include/linux', 'include/linux/usb', 'include/scsi', 'block', 'drivers/md'];
    return folders.flatMap((folder) =>
      readdirSync(join(this.#root, folder))
        .filter((name) => name.endsWith('.h'))
        .map((name) => `${folder}/${name}`),
    );
  }
}

/** Splits at the top-level commas from just after `(` to its `)`. */
function split(text: string, start: number): string[] | undefined {
  let depth = 0;
  let from = start;
  const parts: string[] = [];
  for (let i = start; i < text.length; i++) {
    const c = text[i];
    if (c === '(') depth++;
    else if (c === ')' && depth-- === 0) return [...parts, text.slice(from, i)].map((part) => part.trim());
    else if (c === ',' && depth === 0) {
      parts.push(text.slice(from, i));
      from = i + 1;
    }
  }
  return undefined;
}

for (const version of KERNEL_VERSIONS) {
  describeKernel(version, 'knowledge about the kernel', (root) => {
    const tree = new Tree(root);

    it('every entry stands in the file it was read from, but for those of the other version', () => {
      const missing = Object.entries(LISTS).flatMap(([list, entries]) =>
        entries
          .filter(({ name, source, until, since }) => !(until ?? since) && !tree.has(source, name))
          .map(({ name }) => `${list} ${name}`),
      );
      expect(missing.toSorted()).toEqual(ABSENT[version].toSorted());
    });

    it('what is said to be gone is gone, and what is newer is not there yet', () => {
      const there = Object.values(LISTS)
        .flat()
        .filter(({ name, source, until, since }) => (until ?? since) && tree.has(source, name));
      expect(there).toEqual([]);
    });

    it('a lock primitive returns nothing exactly where it always succeeds', () => {
      const wrong = LOCKS.filter(({ name, source, success }) => {
        const returns = tree.returns(source, name);
        return returns !== undefined && /\bvoid\b/.test(returns) !== (success === 'void');
      });
      expect(wrong).toEqual([]);
    });

    it('every lock type is a struct that its primitives take', () => {
      const untaken = [...LOCK_TYPES].filter(
        ([tag, kind]) =>
          !LOCKS.some(
            (lock) =>
              lock.kind === kind &&
              tree.parameters(lock.source, lock.name)?.[lock.arg]?.includes(`struct ${tag} *`),
          ),
      );
      expect(untaken).toEqual([]);
    });

    it('the mask of an allocator is where its prototype has it', () => {
      const seen: string[] = [];
      const wrong = ALLOCATORS.flatMap(({ name, gfpArg, source, args }) => {
        for (const declared of [name, `${name}_noprof`]) {
          const parameters = tree.parameters(source, declared);
          const at =
            parameters?.findIndex((parameter) => /\b(gfp_t|gfp|gfp_mask|mask)\b/.test(parameter)) ?? -1;
          if (at < 0 || (args !== undefined && parameters?.length !== args)) continue;
          seen.push(name);
          return at === gfpArg ? [] : [`${name}: ${at}, not ${gfpArg}`];
        }
        return [];
      });
      expect(wrong).toEqual([]);
      expect(seen.length).toBeGreaterThan(100);
    });

    it('every reclaim entry is a member of its table, and its source uses it', () => {
      const isMember = (table: string, field: string): boolean =>
        tree.structs(table).some((body) => new RegExp(`(?<!\\w)${field}(?!\\w)`).test(body));
      const gone = RECLAIM_ENTRIES.filter(({ until, since }) => until ?? since);
      const there = gone.filter(({ table, field }) => isMember(table, field));
      expect(there.filter(({ table, replacedBy }) => !(replacedBy && isMember(table, replacedBy)))).toEqual(
        [],
      );
      const missing = RECLAIM_ENTRIES.filter(
        ({ table, field, source, until, since }) =>
          !(until ?? since) && !(tree.has(source, field) && isMember(table, field)),
      ).map(({ table, field }) => `${table}.${field}`);
      expect(missing).toEqual(
        version === '6.1'
          ? [
              // 6.1 calls it from block/blk-mq-sched.c.
              'elevator_mq_ops.insert_requests',
              'md_personality.bitmap_sector',
              'bitmap_operations.startwrite',
              'bitmap_operations.endwrite',
            ]
          : [],
      );
    });

    it('no filesystem that keeps its files in a cache can hold one', () => {
      const folders = readdirSync(join(root, 'fs'), { recursive: true, encoding: 'utf8' })
        .filter((file) => /\.[ch]$/.test(file) && file.includes('/'))
        .map((file) => ({
          folder: file.split('/')[0]!,
          text: readFileSync(join(root, 'fs', file), 'latin1'),
        }));
      const withText = (text: RegExp): Set<string> =>
        new Set(folders.filter((f) => text.test(f.text)).map((f) => f.folder));
      const caching = withText(/^#include <linux\/(?:fscache|netfs)\.h>/m);
      const holding = withText(/^\s*\.tmpfile\s*=/m);
      expect([...caching]).toEqual(expect.arrayContaining(['9p', 'afs', 'ceph', 'nfs']));
      expect([...holding]).toEqual(expect.arrayContaining(['ext4', 'xfs']));
      expect([...caching].filter((folder) => holding.has(folder))).toEqual([]);
      expect(readFileSync(join(root, 'fs/cachefiles/cache.c'), 'latin1')).toMatch(/!\w[^;]*->i_op->tmpfile/);
      for (const table of ['fscache_cache_ops', 'netfs_cache_ops']) {
        expect(ON_ANOTHER_FILESYSTEM.test(`${table}.`)).toBe(true);
        expect(tree.structs(table)).not.toEqual([]);
      }
    });

    it('locks that have a class for each filesystem type have a key in it', () => {
      const keys = {
        'inode.i_rwsem': 'i_mutex_key',
        'address_space.invalidate_lock': 'invalidate_lock_key',
        'super_block.s_umount': 's_umount_key',
        'super_block.s_vfs_rename_mutex': 's_vfs_rename_key',
        'sb_writers.rw_sem[SB_FREEZE_FS]': 's_writers_key',
      };
      const body = tree.structs('file_system_type').join();
      for (const [lock, key] of Object.entries(keys)) {
        expect(OF_A_FILESYSTEM_TYPE.test(lock), lock).toBe(true);
        expect(body).toContain(`lock_class_key ${key}`);
      }
    });

    it('what begins, ends or waits for a pseudo-lock is a function of its files', () => {
      for (const { name, takes, drops, voids = drops, blocks, sources } of PSEUDO_LOCKS) {
        const isThere = (fn: string): boolean => sources.some((source) => tree.has(source, fn));
        for (const list of [takes.map(([fn]) => fn), drops, voids, blocks]) {
          expect(list.some(isThere), `${name}: ${list.join()}`).toBe(true);
          expect(list.filter((fn) => !isThere(fn) && !OTHER_KERNELS.has(fn))).toEqual([]);
        }
        for (const [fn, success] of takes) {
          const returns = sources
            .map((source) => tree.returns(source, fn))
            .find((type) => type !== undefined);
          // mddev_suspend() of 6.1 returns nothing: then it is void.
          if (returns === 'int') expect(success, fn).toBe('zero');
        }
      }
    });

    it('every callback field is a member of its struct', () => {
      const missing = CALLBACK_FIELDS.filter(
        ({ struct, field, source }) =>
          !(
            tree.has(source, field) &&
            tree.structs(struct).some((body) => new RegExp(`(?<!\\w)${field}(?!\\w)`).test(body))
          ),
      );
      expect(missing).toEqual([]);
    });

    it('every registrar takes a callback at its argument', () => {
      const callback =
        /\(\s*\*|func|fn|callback|handler|action|release|confirm|test|set\b|isolate|filler|writepage|completion_t|^_?f$/;
      const wrong = REGISTRARS.flatMap(({ name, arg, source }) => {
        const parameters = tree.parameters(source, name);
        return parameters === undefined || callback.test(parameters[arg] ?? '')
          ? []
          : [`${name}: ${parameters[arg]}`];
      });
      expect(wrong).toEqual([]);
    });

    it('every wait and wake has the arguments it is said to have', () => {
      const wrong = [
        ...WAITS.flatMap(({ name, arg = -1, condition = -1, source }) => {
          const parameters = tree.parameters(source, name);
          if (parameters === undefined || parameters.length === 0) return [];
          const fits = arg < parameters.length && (condition < 0 || parameters[condition] === 'condition');
          return fits ? [] : [name];
        }),
        ...WAKES.flatMap(({ name, arg, source }) => {
          const parameters = tree.parameters(source, name);
          return parameters === undefined || arg < parameters.length ? [] : [name];
        }),
      ];
      expect(wrong).toEqual([]);
    });

    it('a guard class is defined, conditional ones where the version has them', () => {
      const defined = GUARD_CLASSES.filter(({ name, conditional, source }) => {
        const text = tree.text(source);
        if (!conditional) return new RegExp(`DEFINE_GUARD\\(${name},`).test(text);
        const [, base, extension] = /^(.*)(_[a-z]+)$/.exec(name) ?? [];
        return new RegExp(`DEFINE_GUARD_COND\\(${base}, ${extension},`).test(text);
      }).map(({ name }) => name);
      expect(defined).toEqual(
        GUARD_CLASSES.filter(({ conditional }) => version === '6.12' || !conditional).map(({ name }) => name),
      );
    });

    it('vmalloc of this version opens a scope of its own', () => {
      const text = tree.text(VMALLOC_SCOPE.file);
      const at = text.search(new RegExp(`^(static )?void \\*${VMALLOC_SCOPE.function}\\(`, 'm'));
      expect(at).toBeGreaterThan(0);
      expect(text.slice(at, text.indexOf('\n}', at))).toContain(VMALLOC_SCOPE.call);
    });

    it('a downgrade differs only in the bits that the scope clears', () => {
      const bits = (name: string): Set<string> => {
        const value = new RegExp(`#define ${name}\\s+\\((.*)\\)`).exec(
          tree.text('include/linux/gfp_types.h'),
        )?.[1];
        return new Set((value ?? '').split('|').map((bit) => bit.trim()));
      };
      const cleared = { nofs: ['__GFP_FS'], noio: ['__GFP_IO', '__GFP_FS'] };
      for (const { from, to, under } of DOWNGRADES) {
        for (const api of under) {
          const left = (name: string) =>
            [...bits(name)].filter((bit) => !cleared[api].includes(bit)).toSorted();
          expect(left(to), `${from} → ${to} under ${api}`).toEqual(left(from));
          expect(left(to)).toContain('__GFP_RECLAIM');
        }
      }
    });
  });
}

describe('knowledge about the kernel', () => {
  it('no entry is absent from both versions', () => {
    expect(ABSENT['6.1'].filter((entry) => ABSENT['6.12'].includes(entry))).toEqual([]);
  });

  it('no list names a thing twice with the same meaning', () => {
    for (const [list, entries] of Object.entries(LISTS)) {
      const keys = entries.map((entry) => JSON.stringify({ ...entry, source: undefined }));
      expect(new Set(keys).size, list).toBe(keys.length);
    }
  });

  it('tells the versions of a signature apart by their number of arguments', () => {
    expect(gfpArgument('kvrealloc', 4)).toBe(3);
    expect(gfpArgument('kvrealloc', 3)).toBe(2);
    expect(gfpArgument('kvrealloc', 2)).toBeUndefined();
    expect(gfpArgument('kmalloc', 2)).toBe(1);
    expect(gfpArgument('printk', 1)).toBeUndefined();
  });
});
