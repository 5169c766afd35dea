/** Inline text as lines in which directives may stand: no span goes on after its line, or touches a blank from inside. */
import { type Inline, isSpan, type Plain, textOf } from "./tree.ts";

/** A line for each break, with the spans around it opened again. */
export function inlineLines(nodes: readonly Inline[]): Inline[][] {
  const lines: Inline[][] = [[]];
  for (const node of nodes) {
    if (node.kind === "break") lines.push([]);
    else if (!isSpan(node)) lines.at(-1)?.push(node);
    else {
      inlineLines(node.children).forEach((children, index, { length }) => {
        if (index > 0) lines.push([]);
        const line = lines.at(-1) ?? [];
        // A link is told after the last of its words, and the reason of a spoiler before the first.
        if (node.kind === "link" && index < length - 1) line.push(...children);
        else if (children.length === 0) return;
        else if (node.kind === "spoiler" && index > 0) line.push({ ...node, reason: "", children });
        else line.push({ ...node, children });
      });
    }
  }
  return lines;
}

/** Takes the blanks off the beginning. */
function takeStart(nodes: Inline[]): string {
  let blanks = "";
  for (let first = nodes[0]; first?.kind === "text"; first = nodes[0]) {
    const text = first.text.trimStart();
    blanks += first.text.slice(0, first.text.length - text.length);
    nodes.shift();
    if (text === "") continue;
    nodes.unshift({ kind: "text", text });
    break;
  }
  return blanks;
}

function takeEnd(nodes: Inline[]): string {
  let blanks = "";
  for (let last = nodes.at(-1); last?.kind === "text"; last = nodes.at(-1)) {
    const text = last.text.trimEnd();
    blanks = last.text.slice(text.length) + blanks;
    nodes.pop();
    if (text === "") continue;
    nodes.push({ kind: "text", text });
    break;
  }
  return blanks;
}

/** The blanks at the ends of a span, outside of it. */
export function hoistBlanks(nodes: readonly Inline[]): Inline[] {
  const text = (words: string): Plain => ({ kind: "text", text: words });
  return nodes.flatMap((node): Inline[] => {
    if (node.kind !== "code" && !isSpan(node)) return [node];
    const inner = isSpan(node) ? hoistBlanks(node.children) : [text(node.text)];
    const [before, after] = [takeStart(inner), takeEnd(inner)];
    const rest = isSpan(node) ? { ...node, children: inner } : { ...node, text: textOf(inner) };
    return [text(before), ...(inner.length > 0 ? [rest] : []), text(after)];
  });
}
