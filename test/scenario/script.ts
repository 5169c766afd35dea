/** Reads a scenario: a dialogue of XMPP clients with a room, one behaviour in a file. See test/scenarios/README.md for the language. */

export interface Step {
  /** Where it begins in the file. */
  line: number;
  /** A session such as "romeo/phone", or a Matrix user such as "juliet". */
  who: string;
  kind: "send" | "expect" | "expect in any order" | "expect at last" | "act";
  /** A stanza, or what is done. */
  text: string;
}

export interface Scenario {
  /** What is proven, as a sentence. */
  title: string;
  steps: Step[];
}

const kinds: Record<string, Step["kind"]> = {
  ">": "send",
  "<": "expect",
  "<*": "expect in any order",
  "<~": "expect at last",
};

function stepOf(line: number, text: string): Step {
  const [, who = "", sign = "", stanza = ""] = /^(\S+) (>|<\*|<~|<) (.+)$/s.exec(text) ?? [];
  const kind = kinds[sign];
  if (kind) return { line, who, kind, text: stanza };
  const [, actor, action] = /^(\S+) (.+)$/s.exec(text) ?? [];
  if (actor === undefined || action === undefined)
    throw new Error(`line ${line}: nobody does anything: ${text}`);
  return { line, who: actor, kind: "act", text: action };
}

export function parseScenario(text: string): Scenario {
  const begun: { line: number; text: string }[] = [];
  const comments: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.startsWith("#")) comments.push(line.replace(/^#\s*/, ""));
    else if (/^\s+\S/.test(line)) {
      const last = begun.at(-1);
      if (!last) throw new Error(`line ${index + 1} goes on with nothing`);
      last.text += line.trim();
    } else if (line.trim() !== "") begun.push({ line: index + 1, text: line.trim() });
  }
  const [title = ""] = comments;
  if (!title.endsWith(".")) throw new Error("a scenario begins with a sentence that says what it proves");
  return { title: title.slice(0, -1), steps: begun.map((step) => stepOf(step.line, step.text)) };
}
