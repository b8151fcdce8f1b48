import type { Allocator, MasklessAllocator, Versioned } from './types.js';

/**
 * Allocating primitives and where their mask stands. A function with a `gfp_t` parameter that the
 * analysis sees is found without this list; the list is for what a prototype does not show: macros
 * (in 6.12 most of these are `alloc_hooks(…_noprof(__VA_ARGS__))`), and the floor on which the rest stands.
 */
type Row = readonly [name: string, gfpArg: number, args?: number];

function rows(source: string, list: readonly Row[], versions: Versioned = {}): Allocator[] {
  return list.map(([name, gfpArg, args]) => ({
    name,
    gfpArg,
    source,
    ...(args === undefined ? {} : { args }),
    ...versions,
  }));
}

/** The typed allocators: macros from 6.19 on (and in 6.12.117), whose mask may be left out from 7.0 on (`default_gfp()`). */
const TYPED: readonly Allocator[] = ['kmalloc', 'kzalloc', 'kvmalloc', 'kvzalloc'].flatMap((name) =>
  (['obj', 'objs', 'flex'] as const).map((what, i) => ({
    name: `${name}_${what}`,
    gfpArg: i + 1,
    source: 'include/linux/slab.h',
    defaulted: true as const,
  })),
);

export const ALLOCATORS: readonly Allocator[] = [
  ...TYPED,
  ...rows('include/linux/slab.h', [
    ['kmalloc', 1],
    ['kzalloc', 1],
    ['kmalloc_node', 1],
    ['kzalloc_node', 1],
    ['kmalloc_array', 2],
    ['kmalloc_array_node', 2],
    ['kcalloc', 2],
    ['kcalloc_node', 2],
    ['krealloc', 2],
    ['krealloc_array', 3],
    ['kmalloc_track_caller', 1],
    ['kmalloc_node_track_caller', 1],
    ['kmem_cache_alloc', 1],
    ['kmem_cache_zalloc', 1],
    ['kmem_cache_alloc_node', 1],
    ['kmem_cache_alloc_lru', 2],
    ['kmem_cache_alloc_bulk', 1],
    ['kvmalloc', 1],
    ['kvzalloc', 1],
    ['kvmalloc_node', 1],
    ['kvzalloc_node', 1],
    ['kvmalloc_array', 2],
    ['kvcalloc', 2],
    ['kvcalloc_node', 2],
    // 6.1: (p, oldsize, newsize, flags); 6.12: (p, size, flags).
    ['kvrealloc', 3, 4],
    ['kvrealloc', 2, 3],
    ['kmem_buckets_alloc', 2],
    ['kmem_buckets_valloc', 2],
  ]),
  ...rows('include/linux/gfp.h', [
    ['alloc_page', 0],
    ['alloc_pages', 0],
    ['alloc_pages_node', 1],
    ['__alloc_pages', 0],
    ['__alloc_pages_node', 1],
    ['alloc_pages_exact', 1],
    ['alloc_pages_exact_nid', 2],
    ['alloc_pages_bulk_array', 0],
    ['alloc_pages_bulk_list', 0],
    ['alloc_pages_bulk_array_node', 0],
    ['alloc_contig_range', 3],
    ['alloc_contig_pages', 1],
    ['__get_free_page', 0],
    ['__get_free_pages', 0],
    ['__get_dma_pages', 0],
    ['get_zeroed_page', 0],
    ['folio_alloc', 0],
    ['__folio_alloc', 0],
    ['__folio_alloc_node', 0],
    ['vma_alloc_folio', 0],
    ['alloc_page_vma', 0],
  ]),
  ...rows(
    'include/linux/gfp.h',
    [
      ['alloc_pages_bulk', 0],
      ['alloc_pages_bulk_node', 0],
    ],
    { since: '6.19' },
  ),
  ...rows('include/linux/vmalloc.h', [
    ['__vmalloc', 1],
    ['__vmalloc_node', 2],
    ['__vmalloc_node_range', 4],
    ['__vmalloc_array', 2],
    ['__vcalloc', 2],
    ['vmalloc_huge', 1],
    ['vrealloc', 2],
  ]),
  ...rows('include/linux/percpu.h', [
    ['__alloc_percpu_gfp', 2],
    ['alloc_percpu_gfp', 1],
  ]),
  ...rows('include/linux/mempool.h', [
    ['mempool_alloc', 1],
    ['mempool_create_node', 4],
  ]),
  ...rows('include/linux/string.h', [
    ['kmemdup', 2],
    ['kvmemdup', 2],
    ['kmemdup_array', 3],
    ['kmemdup_nul', 2],
    ['kstrdup', 1],
    ['kstrdup_const', 1],
    ['kstrndup', 2],
  ]),
  // include/linux/sprintf.h declares these from 6.6 on.
  ...rows('lib/kasprintf.c', [
    ['kasprintf', 0],
    ['kvasprintf', 0],
    ['kvasprintf_const', 0],
  ]),
  ...rows('include/linux/idr.h', [
    ['idr_preload', 0],
    ['idr_alloc', 4],
    ['idr_alloc_u32', 4],
    ['idr_alloc_cyclic', 4],
    ['ida_alloc', 1],
    ['ida_alloc_min', 2],
    ['ida_alloc_max', 2],
    ['ida_alloc_range', 3],
    ['ida_simple_get', 3],
  ]),
  ...rows('include/linux/radix-tree.h', [
    ['radix_tree_preload', 0],
    ['radix_tree_maybe_preload', 0],
    ['INIT_RADIX_TREE', 1],
    ['RADIX_TREE', 1],
    ['RADIX_TREE_INIT', 1],
  ]),
  ...rows('include/linux/xarray.h', [
    ['xa_store', 3],
    ['xa_store_bh', 3],
    ['xa_store_irq', 3],
    ['xa_store_range', 4],
    ['xa_insert', 3],
    ['xa_cmpxchg', 4],
    ['xa_alloc', 4],
    ['xa_alloc_cyclic', 5],
    ['xa_reserve', 2],
    ['__xa_store', 3],
    ['__xa_insert', 3],
    ['__xa_cmpxchg', 4],
    ['__xa_alloc', 4],
    ['__xa_alloc_cyclic', 5],
    ['xas_nomem', 1],
    ['xas_split_alloc', 3],
  ]),
  ...rows('include/linux/pagemap.h', [
    ['filemap_alloc_folio', 0],
    ['filemap_add_folio', 3],
    ['__filemap_get_folio', 3],
    ['pagecache_get_page', 3],
    ['find_or_create_page', 2],
    ['__page_cache_alloc', 0],
    ['add_to_page_cache_lru', 3],
    ['read_cache_page_gfp', 2],
  ]),
  ...rows('include/linux/bio.h', [
    ['bio_alloc', 3, 4],
    ['bio_alloc_bioset', 3, 5],
    // Before 5.18.
    ['bio_alloc', 0, 2],
    ['bio_alloc_bioset', 0, 3],
    ['bio_alloc_clone', 2],
    ['bio_init_clone', 3],
    ['bio_kmalloc', 1],
    ['bio_split', 2],
    ['bio_next_split', 2],
    ['blk_next_bio', 4],
  ]),
  ...rows('include/linux/blkdev.h', [
    ['blkdev_issue_discard', 3],
    ['blkdev_issue_zeroout', 3],
    ['blkdev_issue_secure_erase', 3],
    ['sb_issue_discard', 3],
    ['sb_issue_zeroout', 3],
  ]),
  ...rows('include/linux/buffer_head.h', [
    ['alloc_buffer_head', 0],
    ['folio_alloc_buffers', 2],
    ['bdev_getblk', 3],
    ['__getblk_gfp', 3],
    ['__bread_gfp', 3],
    ['sb_getblk_gfp', 2],
  ]),
  ...rows('include/linux/skbuff.h', [
    ['alloc_skb', 1],
    ['__alloc_skb', 1],
    ['alloc_skb_fclone', 1],
    ['__netdev_alloc_skb', 2],
    ['skb_clone', 1],
    ['skb_copy', 1],
    ['skb_copy_expand', 3],
    ['pskb_copy', 1],
    ['pskb_expand_head', 3],
    ['skb_unshare', 1],
  ]),
  ...rows('include/linux/scatterlist.h', [
    ['sg_alloc_table', 2],
    ['__sg_alloc_table', 5],
    ['sgl_alloc', 1],
    ['sgl_alloc_order', 3],
  ]),
  ...rows('include/linux/kfifo.h', [['kfifo_alloc', 2]]),
  ...rows('include/linux/bitmap.h', [
    ['bitmap_alloc', 1],
    ['bitmap_zalloc', 1],
  ]),
  ...rows('include/linux/dma-mapping.h', [
    ['dma_alloc_coherent', 3],
    ['dma_alloc_attrs', 3],
  ]),
  ...rows('include/linux/dmapool.h', [
    ['dma_pool_alloc', 1],
    ['dma_pool_zalloc', 1],
  ]),
];

/** Allocate with a mask of their own, and show none in a prototype or in a body that an index would see. */
export const MASKLESS_ALLOCATORS: readonly MasklessAllocator[] = [
  { name: 'vmalloc', mask: 'GFP_KERNEL', source: 'include/linux/vmalloc.h' },
  { name: 'vzalloc', mask: 'GFP_KERNEL', source: 'include/linux/vmalloc.h' },
  { name: 'vmalloc_user', mask: 'GFP_KERNEL', source: 'include/linux/vmalloc.h' },
  { name: 'vmalloc_node', mask: 'GFP_KERNEL', source: 'include/linux/vmalloc.h' },
  { name: 'vzalloc_node', mask: 'GFP_KERNEL', source: 'include/linux/vmalloc.h' },
  { name: 'vmalloc_array', mask: 'GFP_KERNEL', source: 'include/linux/vmalloc.h' },
  { name: 'vcalloc', mask: 'GFP_KERNEL', source: 'include/linux/vmalloc.h' },
  { name: '__alloc_percpu', mask: 'GFP_KERNEL', source: 'include/linux/percpu.h' },
  { name: 'alloc_percpu', mask: 'GFP_KERNEL', source: 'include/linux/percpu.h' },
  { name: 'mempool_create', mask: 'GFP_KERNEL', source: 'include/linux/mempool.h' },
  { name: 'mempool_init', mask: 'GFP_KERNEL', source: 'include/linux/mempool.h' },
  { name: 'memdup_user', mask: 'GFP_USER', source: 'include/linux/string.h' },
  { name: 'vmemdup_user', mask: 'GFP_USER', source: 'include/linux/string.h' },
  { name: 'memdup_user_nul', mask: 'GFP_KERNEL', source: 'include/linux/string.h' },
  { name: 'strndup_user', mask: 'GFP_USER', source: 'include/linux/string.h' },
];

/** Position of the mask in a call of `name` with `args` arguments, or undefined if it is none of the list. */
export function gfpArgument(name: string, args: number): number | undefined {
  const entries = BY_NAME.get(name);
  return entries?.find((entry) => entry.args === undefined || entry.args === args)?.gfpArg;
}

/** The mask that a call allocates with which hands over none: that of `vmalloc()`, or of a typed allocator that may do without. */
export function maskByDefault(name: string): string | undefined {
  if (BY_NAME.get(name)?.some((allocator) => allocator.defaulted)) return 'GFP_KERNEL';
  return MASKLESS_ALLOCATORS.find((allocator) => allocator.name === name)?.mask;
}

const BY_NAME = new Map<string, Allocator[]>();
for (const allocator of ALLOCATORS) {
  const same = BY_NAME.get(allocator.name);
  if (same === undefined) BY_NAME.set(allocator.name, [allocator]);
  else same.push(allocator);
}

/**
 * Where a tree shows that its vmalloc opens a scope for a mask without `__GFP_FS` (5.17 and later):
 * `call` stands in the body of `function`, or in that of a helper (`memalloc_apply_gfp_scope()`, 6.19). Before that the page tables were allocated with
 * `GFP_KERNEL` whatever the mask said, and a NOFS mask there did not protect.
 */
export const VMALLOC_SCOPE = {
  file: 'mm/vmalloc.c',
  function: '__vmalloc_area_node',
  call: 'memalloc_nofs_save',
} as const;

/**
 * Allocators whose mask such a vmalloc does not honour (mm/vmalloc.c, 4.12 to 5.16). kvmalloc() is none of them: with any mask but
 * `GFP_KERNEL` it does not fall back to vmalloc there (mm/util.c, kvmalloc_node()).
 */
export const VMALLOC = /^__vmalloc(?:_node\w*)?$/;

/** A tree whose root keeps the mask: what is called when it is made, and what allocates with it later. */
export interface KeptMask {
  readonly init: string;
  /** Arguments of `init` that are the root and the mask. */
  readonly root: number;
  readonly gfpArg: number;
  /** Functions that allocate with the mask of the root, which is their argument 0. */
  readonly allocates: readonly string[];
  readonly source: string;
}

/** `radix_tree_node_alloc()` takes `root_gfp_mask(root)` (lib/radix-tree.c); of what others call, inserting alone gets there. */
export const KEPT_MASKS: readonly KeptMask[] = [
  {
    init: 'INIT_RADIX_TREE',
    root: 0,
    gfpArg: 1,
    allocates: ['radix_tree_insert'],
    source: 'include/linux/radix-tree.h',
  },
];
