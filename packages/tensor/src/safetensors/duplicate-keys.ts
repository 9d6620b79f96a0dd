/**
 * Finds a key that occurs twice in one object of a valid JSON text, which `JSON.parse` would silently settle in favour
 * of the last. Returns undefined if there is none.
 */
export function findDuplicateKey(json: string): string | undefined {
  // One set of keys an open object; arrays push a marker so that brackets pair up.
  const open: (Set<string> | undefined)[] = [];
  let expectKey = false;
  for (let i = 0; i < json.length; i++) {
    const character = json[i];
    if (character === '"') {
      const end = endOfString(json, i);
      const keys = open.at(-1);
      if (expectKey && keys !== undefined) {
        const key = JSON.parse(json.slice(i, end)) as string;
        if (keys.has(key)) return key;
        keys.add(key);
        expectKey = false;
      }
      i = end - 1;
    } else if (character === "{") {
      open.push(new Set());
      expectKey = true;
    } else if (character === "[") {
      open.push(undefined);
      expectKey = false;
    } else if (character === "}" || character === "]") {
      open.pop();
    } else if (character === ",") {
      expectKey = open.at(-1) !== undefined;
    }
  }
  return undefined;
}

/** Index after the closing quote of the string that opens at `start`. */
function endOfString(json: string, start: number): number {
  let i = start + 1;
  while (json[i] !== '"') i += json[i] === "\\" ? 2 : 1;
  return i + 1;
}
