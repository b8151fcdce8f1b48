import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { VERDICTS } from '../../src/analysis/report.js';
import { isNewerThanRead } from '../../src/kernel/read-from.js';
import { limitsOf } from '../../src/output/module.js';
import { type ScanDocument, scanDocument, scanSchema } from '../../src/output/scan-document.js';
import { REPORT } from './scan-report.js';

const PUBLISHED = new URL('../../docs/scan.schema.json', import.meta.url);
const validate = new Ajv2020({ allErrors: true }).compile(JSON.parse(readFileSync(PUBLISHED, 'utf8')));

describe('the scan document', () => {
  it('has every site and scope, as the issue that asked for it spells them', () => {
    const document = scanDocument(REPORT);
    expect(Object.keys(document)).toEqual(['schema', 'tree', 'sites', 'scopes', 'summary']);
    expect(document.schema).toBe('gfp-scope/scan@1');
    expect(document.tree).toEqual({ version: '6.1.7', module: null, limits: [] });
    expect(document.sites[0]).toEqual({
      id: 'fs/demo/dir.c:12:33',
      file: 'fs/demo/dir.c',
      line: 12,
      column: 33,
      function: 'demo_add_entry',
      flag: 'GFP_NOFS',
      call: 'kmalloc',
      verdict: 'scopable',
      reason: 'every path is in a scope on demo_inode.map_sem',
      scopes: ['fs/demo/dir.c:demo_create:demo_inode.map_sem'],
      kept: '',
    });
    expect(document.sites[1]!.function).toBeNull();
    expect(document.scopes[0]).toEqual({
      id: 'fs/demo/dir.c:demo_create:demo_inode.map_sem',
      file: 'fs/demo/dir.c',
      function: 'demo_create',
      line: 38,
      api: 'nofs',
      lock: 'demo_inode.map_sem',
      kind: 'lock',
      state: 'proposed',
      opens: [],
      reclaim: [
        { function: 'demo_evict_inode', file: 'fs/demo/super.c', line: 20 },
        { function: 'demo_truncate', file: 'fs/demo/inode.c', line: 200 },
      ],
    });
  });

  it('counts the sites, those of no verdict as zero', () => {
    expect(scanDocument(REPORT).summary).toEqual({
      sites: 4,
      byVerdict: { covered: 1, scopable: 1, 'lock-free': 0, partial: 1, task: 0, opaque: 1 },
    });
    expect(Object.keys(scanDocument(REPORT).summary.byVerdict)).toEqual([...VERDICTS]);
  });
});

describe('the published JSON schema', () => {
  it('is the schema of the program', async () => {
    const schema = `${JSON.stringify(z.toJSONSchema(scanSchema), null, 2)}\n`;
    await expect(schema).toMatchFileSnapshot(PUBLISHED.pathname);
  });

  it('holds for a document', () => {
    const document = JSON.parse(JSON.stringify(scanDocument(REPORT)));
    expect(validate(document) || validate.errors).toBe(true);
    expect(scanSchema.parse(document)).toEqual(scanDocument(REPORT));
  });

  it('holds for a document of nothing', () => {
    expect(validate(scanDocument({ ...REPORT, sites: [], scopes: [] }))).toBe(true);
  });

  it.each<[string, (document: ScanDocument) => unknown]>([
    ['another schema name', (d) => ({ ...d, schema: 'gfp-scope/scan@2' })],
    ['a field more', (d) => ({ ...d, extra: 1 })],
    ['a site without a verdict', (d) => ({ ...d, sites: [{ ...d.sites[0], verdict: undefined }] })],
    ['an unknown verdict', (d) => ({ ...d, sites: [{ ...d.sites[0], verdict: 'fine' }] })],
    ['line 0', (d) => ({ ...d, sites: [{ ...d.sites[0], line: 0 }] })],
    ['an unknown kind of scope', (d) => ({ ...d, scopes: [{ ...d.scopes[0], kind: 'spinlock' }] })],
    ['a total left out', (d) => ({ ...d, summary: { sites: 4, byVerdict: { covered: 1 } } })],
  ])('does not hold for %s', (_, change) => {
    expect(validate(JSON.parse(JSON.stringify(change(scanDocument(REPORT)))))).toBe(false);
  });
});

describe('a kernel that is newer than what is known', () => {
  it('is one of a later release, whatever its stable version', () => {
    expect(['4.14.336', '6.12.117', '6.19', '6.19.99', ''].filter(isNewerThanRead)).toEqual([]);
    expect(['6.20', '7.0.1', '10.1'].filter(isNewerThanRead)).toEqual(['6.20', '7.0.1', '10.1']);
  });

  it('is said among the limits', () => {
    const limits = (version: string): readonly string[] => limitsOf({ root: '/linux', version });
    expect(limits('7.1.2')).toEqual([expect.stringMatching(/^The kernel is newer than 6\.19/)]);
    expect(limits('6.19.3')).toEqual([]);
    expect(limitsOf({ root: '/linux', version: '7.1.2', module: '/demo', headersOnly: true })).toHaveLength(
      4,
    );
    expect(limitsOf({ root: '', version: '', module: '/demo' })).toHaveLength(4);
  });
});
