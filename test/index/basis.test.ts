import { describe, expect, it } from 'vitest';
import { BasisNotes, MAX_CHANGED, OtherFiles } from '../../src/index/basis.js';

describe('what an analysis rests on', () => {
  const notes = new BasisNotes();
  notes.reads(['fs/a.c', 'fs/b.c']);
  notes.hasAll('wanted');
  notes.hasAll('->member');
  notes.hasTooMany('common', ['drivers/c.c', 'drivers/d.c'], 1);
  notes.hasTooMany('everywhere', ['drivers/c.c'], MAX_CHANGED + 1);
  const others = new OtherFiles(JSON.parse(JSON.stringify(notes.made())));

  it('are the files that were read, and names to look for in the others', () => {
    expect(['fs/a.c', 'fs/b.c', 'drivers/c.c'].map((file) => others.wasRead(file))).toEqual([
      true,
      true,
      false,
    ]);
    expect([...others.names].sort()).toEqual(['common', 'member', 'wanted']);
  });

  it.each<[string, string, string[], boolean]>([
    ['nothing', 'drivers/e.c', [], true],
    ['a name of which all files were read', 'drivers/e.c', ['wanted'], false],
    ['a member by name only', 'drivers/e.c', ['member'], true],
    ['a use of a member', 'drivers/e.c', ['member', '->member'], false],
    ['what stands in about as many files as could be read', 'drivers/e.c', ['common'], false],
    ['that as before', 'drivers/c.c', ['common'], true],
    ['that no more', 'drivers/c.c', [], false],
    ['what stands in far more', 'drivers/e.c', ['everywhere'], true],
  ])('allow a file to name %s: %#', (_, file, names, allowed) => {
    expect(others.allow(file, names)).toBe(allowed);
  });
});
