import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ownerOf, parseMaintainers, readMaintainers, sectionsFor } from '../../src/tree/maintainers.js';
import { inMaintainers, recipientsOf } from '../../src/tree/recipients.js';
import { temporaryDirectory, writeFiles } from './small-tree.js';

const TEXT = `List of maintainers

	M: *Mail* patches to: FullName <address@domain>
	F: *Files* and directories wildcard patterns.

DEMO FILESYSTEM
M:	J\u00f6rg D\u00f6 <joerg@example.org>
R:	"D. Other" <other@example.org>
L:	linux-demo@example.org (moderated for non-subscribers)
L:	secret@example.org (subscribers-only)
S:	Maintained
F:	fs/demo/
X:	fs/demo/borrowed/
F:	include/linux/demo*

DEMO LOG
M:	Lo Gger <log@example.org>
# a remark, and a blank line, end nothing

F:	fs/demo/log*.c
N:	demo_[l]og

DRIVERS
L:	drivers@example.org
F:	drivers/*/demo/
F:	drivers/demo?.c
F:	drivers/old

VFS
F:	fs/*

THE REST
M:	The Chief <chief@example.org>
L:	linux-kernel@example.org
F:	*
F:	*/
`;

const sections = parseMaintainers(TEXT, (name) => name === 'drivers/old');

describe('whose file it is', () => {
  it.each([
    // A folder, at any depth.
    ['fs/demo/dir.c', 'DEMO FILESYSTEM'],
    ['fs/demo/deep/er/dir.c', 'DEMO FILESYSTEM'],
    ['fs/demography.c', 'VFS'],
    // The deeper pattern.
    ['fs/demo/log.c', 'DEMO LOG'],
    ['fs/demo/log_write.c', 'DEMO LOG'],
    // A star does not cross a slash, and a pattern matches the beginning of a name.
    ['fs/demo/logs/x.c', 'DEMO FILESYSTEM'],
    ['include/linux/demo_fs.h', 'DEMO FILESYSTEM'],
    ['include/linux/demo/fs.h', undefined],
    // Before a slash at the end it does, as in the script.
    ['drivers/a/demo/x.c', 'DRIVERS'],
    ['drivers/a/b/demo/x.c', 'DRIVERS'],
    ['drivers/demo1.c', 'DRIVERS'],
    ['drivers/demo.c', undefined],
    // A point is a point.
    ['fs/demo/logxc', 'DEMO FILESYSTEM'],
    // The name of a directory needs no slash.
    ['drivers/old/x.c', 'DRIVERS'],
    // What is taken out is somebody else's.
    ['fs/demo/borrowed/x.c', undefined],
    // A name anywhere, which says least.
    ['lib/demo_log.h', 'DEMO LOG'],
    ['fs/inode.c', 'VFS'],
    ['fs/other/inode.c', undefined],
    ['fs/demo/"a b"\u00f6.c', 'DEMO FILESYSTEM'],
  ])('%s: %s', (file, title) => {
    expect(ownerOf(sections, file)).toBe(title);
  });

  it('takes the first of those that match as well', () => {
    const twice = parseMaintainers('A\nF: fs/x/\n\nB\nF: fs/x/\n', () => false);
    expect(sectionsFor(twice, 'fs/x/y.c').map(({ title }) => title)).toEqual(['A', 'B']);
  });

  it('takes no pattern that is no expression', () => {
    expect(
      ownerOf(
        parseMaintainers('A\nF: fs/[\nN: (\n', () => false),
        'fs/[',
      ),
    ).toBeUndefined();
  });

  it('is nobody known where there is no MAINTAINERS', () => {
    expect(readMaintainers(temporaryDirectory())).toEqual([]);
  });

  it('reads UTF-8, and latin1 where it is none', () => {
    for (const encoding of ['utf8', 'latin1'] as const) {
      const root = temporaryDirectory();
      writeFileSync(path.join(root, 'MAINTAINERS'), TEXT, encoding);
      expect(readMaintainers(root)[0]!.people[0]!.text).toBe('J\u00f6rg D\u00f6 <joerg@example.org>');
    }
  });
});

describe('who is to see a patch', () => {
  it('is everybody in the sections of its files, people first, each once', () => {
    expect(inMaintainers(sections, ['fs/demo/log.c', 'fs/demo/dir.c'])).toEqual([
      'Lo Gger <log@example.org>',
      'J\u00f6rg D\u00f6 <joerg@example.org>',
      '"D. Other" <other@example.org>',
      'linux-demo@example.org',
      'linux-kernel@example.org',
    ]);
  });

  /** A tree whose script is the one given. */
  const withScript = (script: string): string => {
    const root = temporaryDirectory();
    writeFiles(root, { 'scripts/get_maintainer.pl': script });
    chmodSync(path.join(root, 'scripts/get_maintainer.pl'), 0o755);
    return root;
  };

  it("is whom the tree's script names", () => {
    const root = withScript(
      'print "A B <ab\\@example.org>\\nlist\\@example.org\\n" if "@ARGV" eq "--nogit --nogit-fallback --norolestats --nokeywords -f -- fs/a b.c";',
    );
    expect(recipientsOf(root, sections, ['fs/a b.c'])).toEqual(['A B <ab@example.org>', 'list@example.org']);
  });

  it('is whom MAINTAINERS names where there is no perl', () => {
    const root = withScript('print "x\\@example.org\\n";');
    vi.stubEnv('PATH', temporaryDirectory());
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    expect(recipientsOf(root, sections, ['fs/other/x.c'])).toEqual(['linux-kernel@example.org']);
  });

  it.each([
    ['fails', 'print "x\\@example.org\\n"; exit 1;'],
    ['names nobody', ''],
  ])('is whom MAINTAINERS names where the script %s', (_, script) => {
    expect(recipientsOf(withScript(script), sections, ['fs/other/x.c'])).toEqual([
      'linux-kernel@example.org',
    ]);
  });
});
