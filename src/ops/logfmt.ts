/** Writes log fields as `key=value` so that nothing a peer sent can start a line or a field of its own. */

/** Control, format and lone surrogate characters and line separators, among them all that reorder or end a line. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const bare = /^[^\s"=\\\p{C}]+$/u;

const escapeUnits = (text: string): string =>
  text
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");

/** The text on one line, each character that would not show written as `\uXXXX`. */
export const printable = (text: string): string => text.replace(unprintable, escapeUnits);

/** A value stands as it is where that is unmistakable, else as a JSON string in printable characters. */
function logfmtValue(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return bare.test(text) ? text : printable(JSON.stringify(text));
}

/** ` key=value` for each field, or nothing. */
export const logfmtLine = (fields: readonly (readonly [string, unknown])[]): string =>
  fields.map(([key, value]) => ` ${key.replace(/[^\w.-]/g, "_") || "_"}=${logfmtValue(value)}`).join("");
