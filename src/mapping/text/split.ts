/** Bodies that are longer than the other side takes, as several. */

const fence = "```";

const sizeOf = (character: string): number => {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
};

/** Where the text from `begin` on has to end at the latest, never inside of a character. */
function reach(text: string, begin: number, bytes: number): number {
  let [end, size] = [begin, 0];
  while (end < text.length) {
    const character = String.fromCodePoint(text.codePointAt(end) ?? 0);
    size += sizeOf(character);
    if (size > bytes && end > begin) break;
    end += character.length;
  }
  return end;
}

/** The best place to end in the second half of what fits: after a paragraph, a line or a word. */
function endWithin(text: string, begin: number, limit: number): { end: number; next: number } {
  if (limit === text.length) return { end: limit, next: limit };
  const half = begin + Math.floor((limit - begin) / 2);
  for (const gap of ["\n\n", "\n", " "]) {
    const end = text.lastIndexOf(gap, limit);
    if (end > half) return { end, next: end + gap.length };
  }
  return { end: limit, next: limit };
}

/** The line that began the code which is still open after these lines. */
function openFence(part: string, before: string | undefined): string | undefined {
  let open = before;
  for (const line of part.split("\n")) {
    if (open === undefined && line.startsWith(fence)) open = line.length > 50 ? fence : line;
    else if (open !== undefined && line === fence) open = undefined;
  }
  return open;
}

/**
 * Parts of at most so many bytes, which must be at least 200. Code that is cut (XEP-0393 §6.1.2) is code in each part,
 * unless the text is not styled at all.
 */
export function splitBody(body: string, maxBytes: number, isStyled = true): string[] {
  const parts: string[] = [];
  let open: string | undefined;
  let begin = 0;
  const room = maxBytes - 2 * fence.length - 2;
  do {
    const head = open === undefined ? "" : `${open}\n`;
    const left = room - new TextEncoder().encode(head).length;
    const { end, next } = endWithin(body, begin, reach(body, begin, left));
    const part = body.slice(begin, end);
    open = isStyled ? openFence(part, open) : undefined;
    parts.push(head + part + (open === undefined || end === body.length ? "" : `\n${fence}`));
    begin = next;
  } while (begin < body.length);
  return parts;
}
