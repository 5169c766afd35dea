/** What `causeway check` prints: one line a check for people, or all of them as JSON for programs. */
import { printable } from "../ops/logfmt.ts";
import type { Result } from "./check.ts";

const marks = { ok: "ok  ", warn: "warn", fail: "FAIL", skip: "skip" };

export function lineOf(result: Result): string {
  const start = `${marks[result.status]}  ${result.check}`;
  switch (result.status) {
    case "ok":
      return printable(result.note === undefined ? start : `${start}: ${result.note}`);
    case "skip":
      return printable(`${start}: ${result.problem}`);
    default:
      return printable(`${start}: ${result.problem}. To mend: ${result.remedy}`);
  }
}

export const isSound = (results: readonly Result[]): boolean =>
  results.every(({ status }) => status !== "fail");

export function summaryOf(results: readonly Result[]): string {
  const count = (wanted: Result["status"]): number =>
    results.filter(({ status }) => status === wanted).length;
  const skipped = count("skip") > 0 ? `, ${count("skip")} could not be tried` : "";
  const warned = count("warn") > 0 ? `, ${count("warn")} to look at` : "";
  if (isSound(results)) return `All is well${warned}${skipped}.`;
  return `${count("fail")} of ${results.length} checks failed${warned}${skipped}.`;
}

export const jsonOf = (results: readonly Result[]): string => `${JSON.stringify(results, undefined, 2)}\n`;
