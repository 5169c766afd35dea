/** How an address of one network is written in the alphabet of the other, byte by byte and reversibly. */

const encoder = new TextEncoder();

// `ignoreBOM` keeps U+FEFF, which would otherwise vanish and make two addresses one.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const GHOST_CHARACTER = /^[a-z0-9._+-]$/;

// What RFC 3920 appendix A leaves alone among ASCII, less `%` (our separator) and `\` (our escape).
const NODE_ASCII_TEXT = /^[a-z0-9!#$()*+,.;=?[\]^_`{|}~-]*$/;

/** Printable and without either escape, as nearly all addresses are: nothing of it is to be undone. */
const UNESCAPED = /^[!-<>-[\]-~]*$/;

// One by one: what changes under NFKC and case folding, capitals, controls, private use, unassigned, spaces,
// then what only stringprep's own tables B.1, C.6 and C.7 name.
const NODE_REFUSED =
  /[\p{Changes_When_NFKC_Casefolded}\p{Lu}\p{Lt}\p{C}\p{Z}\u1806\ufffc\ufffd\u2ff0-\u2fff\u31ef]/u;

// Whether these stand depends on their neighbours: marks and vowels that compose with what precedes them.
const NODE_COMPOSES = /[\p{M}\u1161-\u1175\u11a8-\u11c2\u{16d67}]/u;

// A single right-to-left letter beside the always present left-to-right ones breaks the rule of RFC 3454 §6,
// so the blocks that Unicode keeps for such scripts are escaped whole.
const NODE_RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** The characters of `text` in the Matrix escape (appendices, "Mapping from other character sets"), one unit each. */
export function ghostUnits(text: string): string[] {
  return Array.from(text, (character) =>
    GHOST_CHARACTER.test(character) ? character : bytesOf(character, "="),
  );
}

/** Undoes `ghostUnits(…).join("")`; `undefined` where an escape is incomplete or no UTF-8. */
export function unescapeGhost(localpart: string): string | undefined {
  return unescapeWith(localpart, /=([0-9a-f]{2})/g);
}

/** `text` as a piece of a JID localpart that nodeprep leaves as it is; at most three bytes for each byte of `text`. */
export function escapeNode(text: string): string {
  if (NODE_ASCII_TEXT.test(text)) return text;
  return Array.from(text, (character) =>
    standsInNode(character) ? character : bytesOf(character, "\\"),
  ).join("");
}

/** Undoes `escapeNode`; `undefined` where the escaped bytes are no UTF-8. */
export function unescapeNode(local: string): string | undefined {
  return unescapeWith(local, /\\([0-9a-f]{2})/g);
}

/** Every byte of `text` as the mark and two lower-case hex digits. */
export function bytesOf(text: string, mark: "=" | "\\"): string {
  if (text.length === 1 && text < "\x80") return mark + text.charCodeAt(0).toString(16).padStart(2, "0");
  return Array.from(encoder.encode(text), (byte) => mark + byte.toString(16).padStart(2, "0")).join("");
}

function standsInNode(character: string): boolean {
  if (character < "\x80") return NODE_ASCII_TEXT.test(character);
  return ![NODE_REFUSED, NODE_COMPOSES, NODE_RIGHT_TO_LEFT].some((set) => set.test(character));
}

function unescapeWith(text: string, pattern: RegExp): string | undefined {
  if (UNESCAPED.test(text)) return text;
  const bytes: Uint8Array[] = [];
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    bytes.push(
      encoder.encode(text.slice(from, match.index)),
      Uint8Array.of(Number.parseInt(match[1] ?? "", 16)),
    );
    from = match.index + match[0].length;
  }
  bytes.push(encoder.encode(text.slice(from)));
  try {
    return decoder.decode(Uint8Array.from(bytes.flatMap((piece) => Array.from(piece))));
  } catch {
    return undefined;
  }
}
