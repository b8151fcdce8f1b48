// SPDX-License-Identifier: GPL-2.0-only
//
// Adds to package-lock.json the optional packages for other platforms that it lacks. A registry mirror
// that does not serve them makes `npm install` leave them out, and then every `npm ci` refuses the
// file as out of date. Run it after `npm install` has changed the lock file:
//
//   node scripts/complete-lockfile.mjs
//
// An added entry has a version, and the os, cpu and libc that its name tells, but no integrity: npm
// installs it only where they match.
import { readFileSync, writeFileSync } from 'node:fs';

const file = 'package-lock.json';
const lock = JSON.parse(readFileSync(file, 'utf8'));
const platform =
  /-?\b(android|darwin|freebsd|linux|openbsd|openharmony|win32)-(arm64|arm|ia32|loong64|ppc64|riscv64|s390x|x64)(?:-(\w+))?$/;

let added = 0;
for (const [path, dependent] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(dependent.optionalDependencies ?? {})) {
    const place = `node_modules/${name}`;
    if (lock.packages[`${path}/${place}`] !== undefined || lock.packages[place] !== undefined) continue;
    const [, os, cpu, abi] = platform.exec(name) ?? [];
    if (os === undefined || !/^\d/.test(version)) {
      throw new Error(`${file}: ${path} wants ${name}@${version}, which names no platform or no one version`);
    }
    lock.packages[place] = {
      version,
      cpu: [cpu],
      ...(dependent.dev ? { dev: true } : {}),
      ...(os === 'linux' ? { libc: [abi?.startsWith('musl') ? 'musl' : 'glibc'] } : {}),
      optional: true,
      os: [os],
    };
    added++;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${file}: added ${added} packages of other platforms`);
