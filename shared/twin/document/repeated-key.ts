// A string, with the colon that makes it a key; or what begins or ends an object or array.
const TOKEN = /("[^"\\]*(?:\\.[^"\\]*)*")\s*(:)?|[{}[\]]/g;

/**
 * A key that an object of a JSON text has twice (RFC 8259, 4: what readers make of it differs, and
 * so what one of them let pass another may not mean). The text must be sound JSON.
 */
export function repeatedKey(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  for (const [token, string, colon] of text.matchAll(TOKEN)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    if (string === undefined || colon === undefined) continue;
    const keys = open.at(-1);
    const key = JSON.parse(string) as string;
    if (keys?.has(key) === true) return key;
    keys?.add(key);
  }
  return undefined;
}
