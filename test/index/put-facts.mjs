/** A process of its own for the test of the cache: puts facts of its own and shared ones, flushing after each. */
const [module, folder, tree, name, count] = process.argv.slice(2);
const { openCache } = await import(module);
for (let i = 0; i < Number(count); i++) {
  const cache = openCache({ folder, tree, tool: 'a'.repeat(24) });
  cache.facts.put(`${name}-${i}`, Buffer.from(`${name} says ${i} `.repeat(500)));
  cache.facts.put(`shared-${i}`, Buffer.from(`all say ${i} `.repeat(500)));
  cache.results.put('result', Buffer.from('the result '.repeat(5000)));
  for (let seen = 0; seen <= i; seen++) {
    const bytes = cache.facts.get(`shared-${seen}`);
    if (bytes && Buffer.from(bytes).toString() !== `all say ${seen} `.repeat(500)) process.exitCode = 1;
  }
  cache.close();
}
