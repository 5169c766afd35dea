/** Compares what was said with what was shown: once each, in order, and nothing else. */
import { type Line, sameLine } from "./stage.ts";

/** The line as the other network shows it: XMPP knows no notices. */
export const shownOnXmpp = (line: Line): Line =>
  line.manner === "notice" ? { ...line, manner: "text" } : line;

/**
 * @param expected what one person is to see, as their network shows it.
 * @returns a sentence for each fault; none if every line came once and in order.
 */
export function faultsOf(name: string, expected: readonly Line[], seen: readonly Line[]): string[] {
  const times = (line: Line): number => seen.filter((each) => sameLine(each, line)).length;
  const faults = expected.flatMap((line) => {
    const count = times(line);
    if (count === 1) return [];
    return [`${name} saw ${JSON.stringify(line.text)} ${count === 0 ? "not at all" : `${count} times`}`];
  });
  const strange = seen.filter((line) => !expected.some((each) => sameLine(each, line)));
  for (const { text } of strange) faults.push(`${name} saw ${JSON.stringify(text)}, which nobody said`);
  const places = expected
    .map((line) => seen.findIndex((each) => sameLine(each, line)))
    .filter((at) => at >= 0);
  if (places.some((at, index) => index > 0 && at < (places[index - 1] ?? 0))) {
    faults.push(`${name} saw the messages in another order`);
  }
  return faults;
}
