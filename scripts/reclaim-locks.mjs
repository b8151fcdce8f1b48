// Writes the reclaim locks of a kernel tree, with their chains, as Markdown: needs `npm run build`.
//   node --max-old-space-size=12000 scripts/reclaim-locks.mjs TREE > docs/reclaim-locks-6.12.md
import { Locks } from '../dist/src/analysis/locks.js';
import { Reclaim } from '../dist/src/analysis/reclaim.js';
import { Tasks } from '../dist/src/analysis/tasks.js';
import { Index } from '../dist/src/index/link.js';
import { listTree, parseAll, Threads } from '../dist/src/index/load.js';
import { reclaimDocument } from '../dist/src/output/reclaim-document.js';
import { openKernelTree } from '../dist/src/tree/kernel-tree.js';

const GROUPS = ['ext4', 'xfs', 'btrfs', 'ocfs2', 'gfs2', 'udf', 'f2fs', 'ubifs', 'ceph', 'nfs', 'quota'].map(
  (name) => `fs/${name}`,
);

const root = process.argv[2];
if (root === undefined) {
  console.error('usage: node scripts/reclaim-locks.mjs TREE');
  process.exit(2);
}
const tree = openKernelTree(root);
const threads = new Threads(2);
const { facts } = await parseAll(tree, listTree(tree, ['fs']).core, threads);
await threads.close();
const index = new Index(facts);
const reclaim = new Reclaim(index, new Locks(index), new Tasks(index), 'nofs');
const intro = `Generated from Linux ${tree.version} by \`node scripts/reclaim-locks.mjs TREE\`; not edited by hand.

For each lock class that reclaim blocks on, the shortest chain from what reclaim calls to the acquire, best first: chains through
common entries before those through rare ones, short before long. The line is that of the call to the next step, or of
the acquire. A step is a call by name unless it says \`[typed]\`: then it goes through the operation table of the struct type
that the receiver has, through a callback, or is waited for. No chain uses an edge known by member name only. A wait for a field that some task is to
wake is a lock whose holder is not known; it is listed with those who end it.`;
const text = reclaimDocument(`Reclaim locks of Linux ${tree.version}`, intro, reclaim, GROUPS);
// A pipe may take it in pieces.
process.stdout.write(text, () => process.exit(0));
