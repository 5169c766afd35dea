/** The table of the fault suite, a row for each fault as soon as it is over. */
import type { Figures } from "./ledger.ts";
import type { Outcome } from "./scene.ts";

const columns = [
  "sent",
  "told",
  "arrived",
  "lost",
  "doubled",
  "reordered",
] as const satisfies (keyof Figures)[];
const nameWidth = 46;
const width = 9;

const cells = (figures: Figures): string =>
  columns.map((column) => String(figures[column]).padStart(width)).join("");

/** `told` are those whose sender was told that they did not arrive. */
export function headOf(): string {
  const names = columns.map((column) => column.padStart(width)).join("");
  const ways = ["to XMPP", "to Matrix"].map((way) => way.padEnd(names.length)).join("  | ");
  return `  ${"".padEnd(nameWidth)} | ${ways}\n  ${"fault".padEnd(nameWidth)} |${names}  |${names}`;
}

export function rowOf(name: string, { toXmpp, toMatrix, broken, note }: Outcome, seconds: number): string {
  const mark = broken.length === 0 ? " " : "!";
  const told = `${seconds} s${note ? `, ${note}` : ""}`;
  return `${mark} ${name.padEnd(nameWidth)} |${cells(toXmpp)}  |${cells(toMatrix)}  | ${told}`;
}
