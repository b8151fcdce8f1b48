/**
 * Constants of a file: `#define NAME (1u << 3)` and enumerators. Each is kept as a line `NAME expression`, all in one string that starts
 * and ends with a newline; `?` stands for what is no sum of bits.
 */
export function constantsOf(text: string): string {
  let out = '\n';
  for (const [, macro, body, enumerator, value] of text.matchAll(DEFINITION)) {
    const expression = (body ?? value)!
      .replace(/\\\r?\n/g, ' ')
      .replace(/\/\*[\s\S]*?(?:\*\/|$)|\/\/.*/g, ' ')
      .replace(/\s+/g, ' ')
      .trim();
    const isKnown = /^[\w ()|<]+$/.test(expression);
    out += `${macro ?? enumerator} ${isKnown ? expression : '?'}\n`;
  }
  for (const [, body] of text.matchAll(ENUM)) out += counted(body!);
  return out;
}

const ENUM = /\benum\b[^{};()]*\{([^{}]*)\}/g;

/** The enumerators without a value of their own: each is one more than the one before it. */
function counted(body: string): string {
  const entries = body.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, ' ').split(',');
  let out = '';
  let next: number | undefined = 0;
  for (const entry of entries) {
    const [, name, value] = /^\s*(\w+)\s*(?:=([\s\S]*))?$/.exec(entry) ?? [];
    if (name === undefined) {
      // What stands on a condition may count or not.
      if (entry.trim() !== '') next = undefined;
      continue;
    }
    if (value !== undefined)
      next = /^\s*(?:0|[1-9]\d{0,8}|0[xX][\da-fA-F]{1,8})\s*$/.test(value) ? Number(value) : undefined;
    else if (/^_*[A-Z]/.test(name)) out += `${name} ${next ?? '?'}\n`;
    if (next !== undefined) next++;
  }
  return out;
}

const DEFINITION =
  /^[ \t]*(?:#[ \t]*define[ \t]+(_*[A-Z]\w*)[ \t]+((?:\\\r?\n|[^\n])+)|(_*[A-Z]\w*)[ \t]*=[ \t]*([\w ()|<]+?)[ \t]*(?:,|\/\*|\r?$))/gm;

/**
 * Value of such an expression; `named` gives that of a name. undefined where it can't be told: anything but numbers, names, `<<`, `|`,
 * parentheses and the macros for a bit (`BIT()` and `BIT_ULL()`, include/vdso/bits.h; `_BITUL()`, include/uapi/linux/const.h).
 */
export function constantValue(
  expression: string,
  named: (name: string) => bigint | undefined,
): bigint | undefined {
  const tokens = expression.match(/\w+|<<|[()|]|\S/g) ?? [];
  let at = 0;
  const primary = (): bigint | undefined => {
    const token = tokens[at++];
    if (token === '(') {
      const inner = bits();
      return tokens[at++] === ')' ? inner : undefined;
    }
    if (token === undefined) return undefined;
    const number = /^(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)[uUlL]*$/.exec(token)?.[1];
    if (number !== undefined) return BigInt(/^0\d/.test(number) ? `0o${number.slice(1)}` : number);
    if (!/^[A-Z_]/.test(token)) return undefined;
    if (tokens[at] !== '(') return named(token);
    const bit = /^(?:BIT|BIT_ULL|_BITUL|_BITULL)$/.test(token) ? primary() : undefined;
    return bit === undefined || bit > 63n ? undefined : 1n << bit;
  };
  const shift = (): bigint | undefined => {
    let value = primary();
    while (tokens[at] === '<<') {
      at++;
      const by = primary();
      value = value === undefined || by === undefined || by > 63n ? undefined : value << by;
    }
    return value;
  };
  const bits = (): bigint | undefined => {
    let value = shift();
    while (tokens[at] === '|') {
      at++;
      const other = shift();
      value = value === undefined || other === undefined ? undefined : value | other;
    }
    return value;
  };
  const value = bits();
  return at === tokens.length ? value : undefined;
}
