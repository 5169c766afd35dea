/** A command's answer as an event: m.notice (Client-Server API v1.15, "m.room.message msgtypes"). */
import type { Content } from "../matrix/event.ts";

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => entities[character] ?? "");

const trimLines = (text: string): string => text.replace(/^\n+|\n+$/g, "");

const item = /^• (.*)$/;

/** Lines as they are, and those of a list as a list. */
function linesOf(text: string): string {
  const html: string[] = [];
  let isInList = false;
  for (const line of trimLines(text).split("\n")) {
    const [, listed] = item.exec(line) ?? [];
    const isItem = listed !== undefined;
    if (isItem !== isInList) html.push(isItem ? "<ul>" : "</ul>");
    else if (!isItem && html.length > 0) html.push("<br>");
    html.push(isItem ? `<li>${escapeHtml(listed)}</li>` : escapeHtml(line));
    isInList = isItem;
  }
  if (isInList) html.push("</ul>");
  return html.join("");
}

/** Formatted only where there is a list, or something to copy, since clients offer that for blocks of code. */
export function noticeOf(text: string): Content {
  const plain = { msgtype: "m.notice", body: text };
  const parts = text.split(/^```$/m);
  // Every second part stands between two fences.
  if (parts.length % 2 === 0 || (parts.length === 1 && !/^• /m.test(text))) return plain;
  const html = parts.map((part, index) =>
    index % 2 === 1 ? `<pre><code>${escapeHtml(trimLines(part))}\n</code></pre>` : linesOf(part),
  );
  return { ...plain, format: "org.matrix.custom.html", formatted_body: html.join("") };
}
