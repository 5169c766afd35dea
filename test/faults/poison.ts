/** Makes the mapping of marked messages throw in the process it is loaded into, by `node --import`. */
import { registerHooks } from "node:module";

const substitutes = new Map(
  [
    ["/src/mapping/messages.ts", "poisoned-messages.ts"],
    ["/src/mapping/muc-invitations.ts", "poisoned-invitations.ts"],
  ].map(([victim, substitute]) => [victim, new URL(String(substitute), import.meta.url).href]),
);
const substituteOf = (url: string): string | undefined =>
  [...substitutes].find(([victim = ""]) => url.endsWith(victim))?.[1];

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    const url = substituteOf(found.url);
    return url === undefined || context.parentURL === url ? found : { ...found, url };
  },
});
