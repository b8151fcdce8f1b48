import { describe, expect, it } from 'vitest';
import { KeptMasks } from '../../src/analysis/kept-masks.js';
import { functionIn, linked } from './linked.js';

const STORE = `
struct radix_tree_root { int height; };
struct store { struct radix_tree_root users; struct radix_tree_root groups; struct radix_tree_root names; };
static inline struct radix_tree_root *tree_of(struct store *st, int type)
{
	switch (type) {
	case 1:
		return &st->users;
	case 2:
		return &st->groups;
	default:
		break;
	}
	return NULL;
}
static int add(struct store *st, struct radix_tree_root *tree, int id, void *what)
{
	return radix_tree_insert(tree, id, what);
}
int get(struct store *st, int type, int id, void *what)
{
	struct radix_tree_root *tree = tree_of(st, type);

	return add(st, tree, id, what);
}
void init_all(struct store *st)
{
	INIT_RADIX_TREE(&st->users, GFP_NOFS);
	INIT_RADIX_TREE(&st->groups, GFP_NOFS);
	INIT_RADIX_TREE(&st->names, GFP_NOFS);
}
int add_name(struct store *st, int id, void *what)
{
	return radix_tree_insert(&st->names, id, what);
}
`;

/** Names of the functions that allocate with the mask of that root. */
function uses(root: string, more = ''): string[] | undefined {
  const index = linked({ 'fs/x/a.c': `${STORE}${more} void init(struct store *st) { }` });
  return new KeptMasks(index).usesOf(functionIn(index, 'init'), root)?.map(({ fn }) => fn.facts.name);
}

describe('masks that are kept in the root of a tree', () => {
  it('are used where something is put into that member, by whatever way the root got there', () => {
    expect(uses('&v:st users')).toEqual(['add']);
    expect(uses('&v:st groups')).toEqual(['add']);
    expect(uses('&v:st names')).toEqual(['add_name']);
  });

  it('may be used where a root can not be told', () => {
    const more = 'int any(void **root) { return radix_tree_insert(*root, 1, 0); }';
    expect(uses('&v:st names', more)).toEqual(['add_name', 'any']);
  });

  it('can not be followed from a root that is not a member', () => {
    expect(uses('v:st')).toBeUndefined();
  });
});
