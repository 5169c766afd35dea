/** Lines of a body as paragraphs, for the formats that lay text out by lines. */
import { type Block, type Inline, tidy } from "./tree.ts";

export interface Line {
  text: string;
  /** Where it begins in the body. */
  at: number;
}

export function linesOf(text: string, at: number): Line[] {
  let next = at;
  return text.split("\n").map((line) => {
    const begin = next;
    next += line.length + 1;
    return { text: line.replace(/\r$/, ""), at: begin };
  });
}

/** The first blank line between two paragraphs parts them; further ones are kept. */
export function paragraphsOf(
  lines: readonly Line[],
  inlinesOf: (line: Line) => Inline[],
  /** A blank line next to another block is only there to set it apart. */
  { isFirst, isLast }: { isFirst: boolean; isLast: boolean },
): Block[] {
  const begin = !isFirst && lines[0]?.text === "" ? 1 : 0;
  const end = !isLast && lines.length > begin && lines.at(-1)?.text === "" ? lines.length - 1 : lines.length;
  const paragraphs: Inline[][] = [];
  let current: Inline[] | undefined;
  let afterBlank = true;
  for (const line of lines.slice(begin, end)) {
    const isParting = line.text === "" && !afterBlank;
    afterBlank = line.text === "";
    if (isParting) {
      current = undefined;
      continue;
    }
    if (current) current.push({ kind: "break" });
    else {
      current = [];
      paragraphs.push(current);
    }
    for (const node of inlinesOf(line)) current.push(node);
  }
  return paragraphs
    .map(tidy)
    .flatMap((children) => (children.length > 0 ? [{ kind: "paragraph", children }] : []));
}
