/**
 * What was asked for cannot be done as asked: a missing tree, a path outside of it, a tree with
 * uncommitted changes. The message is one line for the person at the terminal: what, where, what to do next.
 */
export class InputError extends Error {
  override readonly name = 'InputError';
}
