/**
 * The newest kernel of which the interfaces were read that all the lists here are of. A newer one may have lock primitives, allocators or
 * entries of reclaim that none of them names.
 */
export const NEWEST_READ = '6.19';

/** Is the version (`7.1.3`) one of a later release than those that were read? */
export function isNewerThanRead(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [readMajor = 0, readMinor = 0] = NEWEST_READ.split('.').map(Number);
  return major > readMajor || (major === readMajor && minor > readMinor);
}
