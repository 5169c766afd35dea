/** How deep JSON may be nested: what takes it apart or writes it again is recursive, and so is what others do with it. */

/** As many levels as serde_json takes, with which several homeservers read theirs. */
export const maxDepth = 128;

/**
 * More than any homeserver can have parsed itself: Go gives up here, the others sooner. It bounds a body of which a
 * part that is deeper than `maxDepth` is left out.
 */
export const senselessDepth = 10_000;

const [quote, backslash, arrayStart, arrayEnd, objectStart, objectEnd] = Buffer.from('"\\[]{}');

/** Whether JSON as text is nested more than `levels` deep, before it costs anything to parse; any bytes will do. */
export function isDeeperText(levels: number, text: Uint8Array): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at];
    if (inString) {
      if (byte === backslash) at += 1;
      else if (byte === quote) inString = false;
    } else if (byte === quote) inString = true;
    else if (byte === arrayStart || byte === objectStart) {
      depth += 1;
      if (depth > levels) return true;
    } else if (byte === arrayEnd || byte === objectEnd) depth -= 1;
  }
  return false;
}

const isContainer = (value: unknown): value is object => typeof value === "object" && value !== null;

/** Whether arrays and objects are nested more than `levels` deep in the value. */
export function isDeeperThan(levels: number, value: unknown): boolean {
  let level: object[] = [value].filter(isContainer);
  for (let depth = 0; depth < levels && level.length > 0; depth += 1) {
    level = level.flatMap((container) => Object.values(container).filter(isContainer));
  }
  return level.length > 0;
}
