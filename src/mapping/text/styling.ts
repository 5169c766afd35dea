/** Message styling (XEP-0393 1.1.1) <-> a text tree. */
import { parseUserId, type UserId } from "../../matrix/ids.ts";
import { type Line, linesOf, paragraphsOf } from "./lines.ts";
import { type NameOf, writeText } from "./plain-text.ts";
import { type Block, type Inline, maxBlockDepth, type Span, type Tree } from "./tree.ts";

/** Told of each directive: its kind and offset. */
type Report = (style: string) => void;

const kinds: Record<string, Exclude<Span["kind"], "link" | "spoiler"> | "code"> = {
  "*": "strong",
  _: "emphasis",
  "~": "strike",
  "`": "code",
};
const isBlank = (character: string | undefined): boolean =>
  character !== undefined && /[\p{White_Space}\p{Z}]/u.test(character);

/** For each offset, the nearest directive of that kind from there on that may close a span. */
function closersOf(text: string, directive: string): Int32Array {
  const closers = new Int32Array(text.length + 1).fill(-1);
  for (let index = text.length - 1; index > 0; index -= 1) {
    const closes = text[index] === directive && !isBlank(text[index - 1]);
    closers[index] = closes ? index : (closers[index + 1] ?? -1);
  }
  return closers;
}

/** §6.2: spans are matched lazily, from the beginning, within one line. */
function parseSpans({ text, at }: Line, report: Report): Inline[] {
  const closers: Record<string, Int32Array> = {};
  /** Where the span ends that begins here: it begins what is around it or follows a blank, and is not before one. */
  const closeOf = (index: number, begin: number, end: number): number => {
    const directive = text[index] ?? "";
    if (!Object.hasOwn(kinds, directive) || (index > begin && !isBlank(text[index - 1]))) return -1;
    if (index + 1 >= end || isBlank(text[index + 1])) return -1;
    closers[directive] ??= closersOf(text, directive);
    const close = closers[directive][index + 1] ?? -1;
    return close < end ? close : -1;
  };
  const within = (begin: number, end: number): Inline[] => {
    const nodes: Inline[] = [];
    let said = begin;
    const say = (until: number): void => {
      if (until > said) nodes.push({ kind: "text", text: text.slice(said, until) });
    };
    for (let index = begin; index < end; index += 1) {
      const close = closeOf(index, begin, end);
      if (close === -1) continue;
      const kind = kinds[text[index] ?? ""];
      // With nothing between them, neither of the two counts.
      if (kind && close > index + 1) {
        say(index);
        report(`${kind} ${at + index}`);
        if (kind === "code") nodes.push({ kind, text: text.slice(index + 1, close) });
        else nodes.push({ kind, children: within(index + 1, close) });
        said = close + 1;
      }
      index = close;
    }
    say(end);
    return nodes;
  };
  return within(0, text.length);
}

const isFence = ({ text }: Line): boolean => text.startsWith("```");
const isQuote = ({ text }: Line): boolean => text.startsWith(">");

function parseBlocks(lines: readonly Line[], report: Report, depth: number): Block[] {
  const blocks: Block[] = [];
  let index = 0;
  const take = (belongs: (line: Line) => boolean): Line[] => {
    const begin = index;
    for (let line = lines[index]; line && belongs(line); line = lines[index]) index += 1;
    return lines.slice(begin, index);
  };
  const starts = (line: Line): boolean => isFence(line) || (isQuote(line) && depth <= maxBlockDepth);
  while (index < lines.length) {
    const line = lines[index];
    if (!line) break;
    if (isFence(line)) {
      report(`block ${line.at}`);
      index += 1;
      const text = take((inner) => inner.text !== "```").map((inner) => inner.text);
      index += 1;
      const [language] = /^[\w+#.-]{1,40}$/.exec(line.text.slice(3)) ?? [];
      blocks.push({ kind: "code", text: text.join("\n"), ...(language !== undefined && { language }) });
    } else if (starts(line)) {
      const quoted = take(isQuote).map(({ text, at }) => {
        report(`quote ${at}`);
        const skipped = isBlank(text[1]) ? 2 : 1;
        return { text: text.slice(skipped), at: at + skipped };
      });
      const inner = parseBlocks(quoted, report, depth + 1);
      if (inner.length > 0) blocks.push({ kind: "quote", blocks: inner });
    } else {
      const isFirst = index === 0;
      const plain = take((next) => !starts(next));
      const spansOf = (one: Line): Inline[] => parseSpans(one, report);
      blocks.push(...paragraphsOf(plain, spansOf, { isFirst, isLast: index === lines.length }));
    }
  }
  return blocks;
}

/** Whether plain text would not be shown as it stands. */
export function isStyled(body: string): boolean {
  let styled = false;
  parseStyling(body, () => {
    styled = true;
  });
  return styled;
}

/** Never fails: a directive that does not count is text. */
export function parseStyling(body: string, report: Report = () => undefined): Tree {
  return parseBlocks(linesOf(body, 0), report, 0);
}

export interface Mentioned {
  /** In Unicode code points, as XEP-0372 counts (XEP-0426). */
  begin: number;
  end: number;
  userId: UserId;
}

export interface Styled {
  body: string;
  /** It would be styled where nobody meant it: the message has to say that it is not styled at all. */
  unstyled: boolean;
  mentions: Mentioned[];
}

export function toStyling(tree: Tree, nameOf: NameOf = () => undefined): Styled {
  const { body, styles, mentions } = writeText(tree, true, nameOf);
  let unstyled = false;
  parseStyling(body, (style) => {
    unstyled ||= !styles.has(style);
  });
  let [offset, codePoints] = [0, 0];
  const codePointAt = (target: number): number => {
    codePoints += [...body.slice(offset, target)].length;
    offset = target;
    return codePoints;
  };
  const counted = mentions.flatMap(({ begin, end, id }): Mentioned[] => {
    const userId = parseUserId(id);
    return userId ? [{ begin: codePointAt(begin), end: codePointAt(end), userId }] : [];
  });
  return { body, unstyled, mentions: counted };
}
