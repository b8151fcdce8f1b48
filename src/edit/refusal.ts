/** A plan that cannot be written into this text: the caller drops the edits of that function, and says why. */
export class EditRefused extends Error {
  override readonly name = 'EditRefused';

  /**
   * @param file path in the tree
   * @param functionName the function whose edits are refused, or `null` outside functions
   * @param line 1-based line of the place
   */
  constructor(
    readonly file: string,
    readonly functionName: string | null,
    readonly line: number,
    readonly reason: string,
  ) {
    super(`${file}:${line}: ${functionName === null ? '' : `${functionName}: `}${reason}`);
  }
}
