/**
 * A test for text by Ditto's wildcards: `*` any text, `?` any one character. In time of at most
 * text times pattern, whatever the pattern: on a mismatch only the last `*` takes one more.
 */
export function compileLike(pattern: string, ignoreCase: boolean): (text: string) => boolean {
  const fold = (text: string) => [...(ignoreCase ? text.toLowerCase() : text)];
  const wanted = fold(pattern);
  return (text) => matches(fold(text), wanted);
}

function matches(text: readonly string[], pattern: readonly string[]): boolean {
  let at = 0;
  let star = -1;
  let taken = 0;
  for (let i = 0; i < text.length; ) {
    if (pattern[at] === '*') {
      star = at;
      taken = i;
      at += 1;
    } else if (pattern[at] === '?' || pattern[at] === text[i]) {
      at += 1;
      i += 1;
    } else if (star >= 0) {
      taken += 1;
      i = taken;
      at = star + 1;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}
