/** Dates and times as XMPP writes them: XEP-0082 1.1.1 §3.2. */

const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** In Unix milliseconds; NaN for any other text. */
// biome-ignore lint/style/noRestrictedGlobals: it reads the text, not the clock
export const dateTimeOf = (text: string): number => (form.test(text) ? Date.parse(text) : Number.NaN);

// biome-ignore lint/style/noRestrictedGlobals: it writes the time that is given
export const dateTime = (time: number): string => new Date(time).toISOString();
