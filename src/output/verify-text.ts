import type { Verification, Verified } from '../verify/verify.js';
import { columns, counted } from './scan-listing.js';

/** A row for each patch, then what is wrong with which, what was not built, and how it was built. */
export function verifyText({ how, config, unbuilt, patches }: Verification): string {
  const failed = patches.filter(({ ok }) => !ok).length;
  const unseen = patches.filter((patch) => patch.ok && isUnbuilt(patch)).length;
  const rows = [
    ['', 'objects', 'warnings', 'sparse', 'checkpatch', 'patch'],
    ...patches.map((patch, i) => [
      !patch.ok ? 'FAILS' : isUnbuilt(patch) ? 'unbuilt' : 'ok',
      `${patch.made.length}/${patch.objects.length}`,
      String(patch.warnings.length),
      patch.sparse ? String(patch.sparse.length) : '-',
      patch.checkpatch
        ? `${patch.checkpatch.errors.length}/${patch.checkpatch.warnings.length}/${patch.checkpatch.checks.length}`
        : '-',
      `${i + 1} ${patch.subject}`,
    ]),
  ];
  const blocks = [columns(rows)];
  for (const [i, patch] of patches.entries()) {
    const lines = [...complaints(patch), ...(patch.checkpatch?.checks ?? [])];
    if (lines.length > 0)
      blocks.push(`${i + 1} ${patch.subject}\n${lines.map((line) => `  ${line}\n`).join('')}`);
  }
  if (unbuilt.length > 0)
    blocks.push(
      `Not built without the patches either (${config}):\n${unbuilt.map((one) => `  ${one}\n`).join('')}`,
    );
  const objects = new Set(patches.flatMap((patch) => patch.made)).size;
  const sum =
    failed + unseen === 0
      ? 'every prefix passes'
      : [...(failed > 0 ? [`${failed} fail`] : []), ...(unseen > 0 ? [`${unseen} not built`] : [])].join(
          ', ',
        );
  blocks.push(
    `${patches.length} ${patches.length === 1 ? 'patch' : 'patches'}: ${sum}; ${counted(objects, 'object')} built with ${config} in ${how}\n`,
  );
  return blocks.join('\n');
}

/** Nothing that the patch changes is built in this configuration. */
export function isUnbuilt({ objects, made }: Verified): boolean {
  return objects.length > 0 && made.length === 0;
}

function complaints({ broken, warnings, sparse = [], checkpatch }: Verified): string[] {
  return [
    ...broken.map((object) => `${object} does not compile any more`),
    ...warnings,
    ...sparse.map((line) => `sparse: ${line}`),
    ...(checkpatch?.errors ?? []),
    ...(checkpatch?.warnings ?? []),
  ];
}
