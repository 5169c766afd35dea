/** Lists in the answers of commands: no longer than one reads. */

const shown = 50;

/** @param lines without anything at their beginning. */
export function listOf(title: string, lines: readonly string[], none = "nobody"): string {
  if (lines.length === 0) return `${title} ${none}.`;
  const rest = lines.length - shown;
  const items = lines.slice(0, shown).map((line) => `• ${line.replaceAll("\n", " ")}`);
  return [title, ...items, ...(rest > 0 ? [`… and ${rest} more.`] : [])].join("\n");
}

/** Such as "5 min". */
export function ageOf(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 120) return `${minutes} min`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 60 / 24)} days`;
}
