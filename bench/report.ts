/** The benchmark's table in Markdown, and its place in docs/performance.md. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Figures } from "./tally.ts";

export interface Row {
  name: string;
  flood: Figures;
  /** Left out where it would say the same as another row's. */
  paced?: Figures;
  /** What the bridge had no part in. */
  raw?: Row;
  /** Milliseconds of the bridge's processor time for each message of the flood. */
  cpuMs?: number;
}

const page = new URL("../docs/performance.md", import.meta.url);
const markers = { begin: "<!-- bench:begin -->", end: "<!-- bench:end -->" };

const rate = (value: number): string => value.toFixed(0);
const ms = (value: number): string => value.toFixed(1);

const cells = ({ name, flood, paced, raw, cpuMs }: Row): string[] => [
  name,
  rate(flood.perSecond),
  raw ? `${((flood.perSecond / raw.flood.perSecond) * 100).toFixed(0)} %` : "",
  paced ? ms(paced.p50) : "",
  paced ? ms(paced.p99) : "",
  paced && raw?.paced ? `+${ms(paced.p50 - raw.paced.p50)}` : "",
  cpuMs === undefined ? "" : cpuMs.toFixed(2),
];

export function tableOf(rows: readonly Row[]): string {
  const heading = ["", "messages/s", "of raw", "p50 ms", "p99 ms", "over raw ms", "bridge CPU ms"];
  const rule = heading.map((_, column) => (column === 0 ? "---" : "---:"));
  return [heading, rule, ...rows.map(cells)].map((line) => `| ${line.join(" | ")} |`).join("\n");
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
