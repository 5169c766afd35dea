/** The benchmark's table in Markdown, and its place in docs/performance.md. */
import { readFileSync, writeFileSync } from "node:fs";

export interface Line {
  what: string;
  measured: string;
  /** What it is to be seen against: the raw rate, the same without what is measured, a peak. */
  beside?: string;
  /** As it stands in the table, and whether the figure keeps to it. */
  bar?: string;
  isMet?: boolean;
}

const page = new URL("../docs/performance.md", import.meta.url);
const markers = { begin: "<!-- bench:begin -->", end: "<!-- bench:end -->" };

const metOf = ({ isMet }: Line): string => (isMet === undefined ? "" : isMet ? "yes" : "**no**");

export function tableOf(lines: readonly Line[]): string {
  const rows = lines.map((line) => [
    line.what,
    line.measured,
    line.beside ?? "",
    line.bar ?? "",
    metOf(line),
  ]);
  return [["", "measured", "beside", "bar", "met"], ["---", "---:", "---", "---", "---"], ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

/** Replaces what stands between the markers. @throws Error where the page has none. */
export function writeReport(report: string): void {
  const text = readFileSync(page, "utf8");
  const [begin, end] = [text.indexOf(markers.begin), text.indexOf(markers.end)];
  if (begin === -1 || end < begin)
    throw new Error(`docs/performance.md lacks ${markers.begin} and ${markers.end}`);
  const before = text.slice(0, begin + markers.begin.length);
  writeFileSync(page, `${before}\n${report}\n${text.slice(end)}`);
}
