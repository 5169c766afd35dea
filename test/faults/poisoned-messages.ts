/** src/mapping/messages.ts with a fault in it: what says “poison” breaks it. Loaded in its place by poison.ts. */
import { toContents as contents, toStanza as stanza } from "../../src/mapping/messages.ts";

// biome-ignore lint/performance/noBarrelFile: it stands in for that file.
export * from "../../src/mapping/messages.ts";

const swallow = (text: string): void => {
  if (text.includes("poison")) throw new TypeError("this message is poison");
};

export const toStanza: typeof stanza = (event, ...rest) => {
  swallow(JSON.stringify(event.content));
  return stanza(event, ...rest);
};

export const toContents: typeof contents = (message, ...rest) => {
  swallow(String(message));
  return contents(message, ...rest);
};
