import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { personIn } from '../../src/output/mail.js';
import { readMaintainers } from '../../src/tree/maintainers.js';
import { inMaintainers, recipientsOf } from '../../src/tree/recipients.js';
import { describeKernel, isCi, KERNEL_VERSIONS } from '../kernel-trees.js';

const FILES = [
  ['fs/quota/quota_v1.c'],
  ['fs/inode.c', 'fs/btrfs/inode.c'],
  ['fs/ocfs2/dlm/dlmrecovery.c'],
  ['mm/vmscan.c'],
  ['drivers/md/dm-crypt.c', 'drivers/md/raid5.c', 'drivers/md/bcache/btree.c'],
  ['include/linux/quotaops.h'],
  ['lib/radix-tree.c'],
];

const hasPerl = spawnSync('perl', ['-v']).status === 0;

for (const version of KERNEL_VERSIONS)
  describeKernel(version, 'MAINTAINERS', (tree) => {
    it.skipIf(!hasPerl && !isCi())('names whom scripts/get_maintainer.pl does (needs perl)', () => {
      const sections = readMaintainers(tree);
      const addresses = (people: readonly string[]) => people.map((text) => personIn(text)?.email).sort();
      for (const files of FILES) {
        const script = recipientsOf(tree, [], files);
        expect(script.length).toBeGreaterThan(0);
        expect([files, addresses(inMaintainers(sections, files))]).toEqual([files, addresses(script)]);
      }
    });
  });
