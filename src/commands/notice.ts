/** A command's answer as an event: m.notice (Client-Server API v1.15, "m.room.message msgtypes"). */
import type { Content } from "../matrix/event.ts";

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => entities[character] ?? "");

const trimLines = (text: string): string => text.replace(/^\n+|\n+$/g, "");

/** Formatted only where there is something to copy, since clients offer that for blocks of code. */
export function noticeOf(text: string): Content {
  const plain = { msgtype: "m.notice", body: text };
  const parts = text.split(/^```$/m);
  // Every second part stands between two fences.
  if (parts.length === 1 || parts.length % 2 === 0) return plain;
  const html = parts.map((part, index) => {
    const escaped = escapeHtml(trimLines(part));
    return index % 2 === 1 ? `<pre><code>${escaped}\n</code></pre>` : escaped.replaceAll("\n", "<br>");
  });
  return { ...plain, format: "org.matrix.custom.html", formatted_body: html.join("") };
}
