import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import AjvDraft04Module from 'ajv-draft-04';
import addFormatsModule from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Finding } from '../../src/analysis/report.js';
import { RULES } from '../../src/checks/index.js';
import { baselineOf, compare, parseBaseline, updated } from '../../src/output/check-baseline.js';
import { checkDocument, checkSarif, checkSchema } from '../../src/output/check-document.js';
import { checkText } from '../../src/output/check-text.js';
import { REPORT } from './scan-report.js';

const finding = (more: Partial<Finding> = {}): Finding => ({
  rule: 'return-in-scope',
  level: 'error',
  file: 'fs/demo/dir.c',
  line: 12,
  column: 3,
  function: 'demo_add',
  message: 'a path returns without restoring flags',
  related: [],
  ...more,
});

const DEADLOCK = finding({
  rule: 'reclaim-under-lock',
  level: 'warning',
  file: 'fs/dé mo/100%.c',
  line: 40,
  message: 'kmalloc() may enter reclaim, which takes demo.lock while evicting an inode',
  related: [
    { function: 'demo_evict_inode', file: 'fs/demo/super.c', line: 7, edge: 'direct' },
    { function: 'demo_forget', file: 'fs/demo/super.c', line: 30 },
  ],
});

const OUTSIDE = finding({
  rule: 'redundant-mask',
  level: 'warning',
  function: null,
  message: 'GFP_NOFS is redundant',
});

const anywhere = (): boolean => true;
const all = compare([finding(), DEADLOCK, OUTSIDE], undefined, anywhere);

describe('the text', () => {
  it('has a line for each finding as compilers write it, the chain, and the totals', () => {
    expect(checkText(all, { colour: false })).toBe(
      [
        'fs/demo/dir.c:12:3: demo_add(): error: a path returns without restoring flags [return-in-scope]',
        'fs/dé mo/100%.c:40:3: demo_add(): warning: kmalloc() may enter reclaim, which takes demo.lock while evicting an inode [reclaim-under-lock]',
        '    fs/demo/super.c:7: demo_evict_inode()',
        '    fs/demo/super.c:30: demo_forget()',
        'fs/demo/dir.c:12:3: warning: GFP_NOFS is redundant [redundant-mask]',
        '3 findings: 1 reclaim-under-lock, 1 redundant-mask, 1 return-in-scope',
        '',
      ].join('\n'),
    );
  });

  it('says what the baseline has and what is gone', () => {
    const baseline = baselineOf([finding(), DEADLOCK]);
    expect(checkText(compare([finding()], baseline, anywhere), { colour: false })).toBe(
      'no findings; 1 more in the baseline; 1 of the baseline gone\n',
    );
  });
});

describe('the document', () => {
  const PUBLISHED = JSON.parse(
    readFileSync(new URL('../../docs/check.schema.json', import.meta.url), 'utf8'),
  );

  it('is as its published schema says', () => {
    const validate = new Ajv2020({ allErrors: true }).compile(PUBLISHED);
    const document = JSON.parse(JSON.stringify(checkDocument(REPORT.tree, all)));
    expect(validate(document) || validate.errors).toBe(true);
    expect(document.summary).toEqual({ new: 3, known: 0, gone: 0 });
    expect(document.findings[1].related[0]).toEqual({
      function: 'demo_evict_inode',
      file: 'fs/demo/super.c',
      line: 7,
    });
    expect(validate({ ...document, more: 1 })).toBe(false);
  });

  it('has the schema that is published', () => {
    expect(JSON.parse(JSON.stringify(z.toJSONSchema(checkSchema)))).toEqual(PUBLISHED);
  });
});

describe('SARIF', () => {
  // Both packages are CommonJS and put what they export on `default`.
  const Ajv = AjvDraft04Module.default ?? AjvDraft04Module;
  const addFormats = addFormatsModule.default ?? addFormatsModule;
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats(ajv);
  // SARIF 2.1.0 Errata 01, sarif-2.1/schema/sarif-schema-2.1.0.json of github.com/oasis-tcs/sarif-spec.
  const validate = ajv.compile(
    JSON.parse(readFileSync(new URL('sarif-2.1.0.schema.json', import.meta.url), 'utf8')),
  );
  const sarif = JSON.parse(JSON.stringify(checkSarif(RULES, all, '1.2.3')));

  it('is valid against the schema of SARIF 2.1.0', () => {
    expect(validate(sarif) || validate.errors).toBe(true);
    expect(
      validate(JSON.parse(JSON.stringify(checkSarif(RULES, compare([], undefined, anywhere), '1.2.3')))),
    ).toBe(true);
    expect(validate({ ...sarif, version: '2.0.0' })).toBe(false);
  });

  it('names places by addresses, functions, and steps of a chain', () => {
    const [, deadlock, outside] = sarif.runs[0].results;
    expect(deadlock.locations[0].physicalLocation).toEqual({
      artifactLocation: { uri: 'fs/d%C3%A9%20mo/100%25.c', uriBaseId: 'SRCROOT' },
      region: { startLine: 40, startColumn: 3 },
    });
    expect(deadlock.locations[0].logicalLocations).toEqual([{ name: 'demo_add', kind: 'function' }]);
    expect(deadlock.codeFlows[0].threadFlows[0].locations).toHaveLength(2);
    expect(outside.locations[0].logicalLocations).toBeUndefined();
    for (const result of sarif.runs[0].results)
      expect(sarif.runs[0].tool.driver.rules[result.ruleIndex].id).toBe(result.ruleId);
  });

  it('has fingerprints that stay on another line, and differ for findings that are alike', () => {
    const prints = (findings: Finding[]): string[] =>
      JSON.parse(
        JSON.stringify(checkSarif(RULES, compare(findings, undefined, anywhere), '1')),
      ).runs[0].results.map(
        (result: { partialFingerprints: Record<string, string> }) =>
          result.partialFingerprints['gfpScope/v1'],
      );
    expect(prints([finding({ line: 99 })])).toEqual(prints([finding()]));
    expect(new Set(prints([finding(), finding({ line: 13 })])).size).toBe(2);
  });
});

describe('a baseline', () => {
  it('knows findings on other lines, and counts those that are alike', () => {
    const baseline = baselineOf([finding(), finding({ line: 20 })]);
    expect(baseline.findings).toEqual([
      {
        rule: 'return-in-scope',
        file: 'fs/demo/dir.c',
        function: 'demo_add',
        message: 'a path returns without restoring flags',
        count: 2,
      },
    ]);
    const third = finding({ line: 70 });
    expect(compare([finding({ line: 50 }), finding({ line: 60 }), third], baseline, anywhere)).toEqual({
      fresh: [third],
      known: 2,
      gone: 0,
    });
  });

  it('does not miss what it was not asked about, and keeps that when it is written anew', () => {
    const other = finding({ file: 'fs/other/dir.c' });
    const baseline = baselineOf([finding(), other]);
    const asked = (file: string): boolean => file.startsWith('fs/demo/');
    expect(compare([], baseline, asked)).toMatchObject({ gone: 1 });
    expect(updated(baseline, [], asked)).toEqual(baselineOf([other]));
    expect(updated(undefined, [finding()], asked)).toEqual(baselineOf([finding()]));
  });

  it.each([
    ['{', /JSON/],
    ['{}', /schema/],
    ['{"schema":"gfp-scope/baseline@1","findings":[{"rule":"x"}]}', /findings\.0/],
    ['{"schema":"gfp-scope/baseline@2","findings":[]}', /schema/],
  ])('is not read from %s', (text, why) => {
    expect(() => parseBaseline(text)).toThrow(why);
  });

  it('is read as it was written', () => {
    const baseline = baselineOf([DEADLOCK, OUTSIDE]);
    expect(parseBaseline(JSON.stringify(baseline))).toEqual(baseline);
  });
});
