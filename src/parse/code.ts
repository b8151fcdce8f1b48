/** A comment or a literal. */
export const NO_CODE = /\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*'/;

/** The text without its comments and literals. */
export function codeIn(text: string): string {
  return text.replace(new RegExp(NO_CODE, 'g'), ' ');
}

/** Does code name the function otherwise than in a prototype? The kernel begins those in the first column. */
export function usesFunction(text: string, name: string): boolean {
  const prototype = new RegExp(`^[A-Za-z_][\\w\\s*]*[\\s*]${name}\\s*\\([^;{}]*\\)[^;{}=]*;`, 'gm');
  return new RegExp(`\\b${name}\\b`).test(codeIn(text).replace(prototype, ';'));
}
