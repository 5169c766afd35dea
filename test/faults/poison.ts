/** Makes the mapping of marked messages throw in the process it is loaded into, by `node --import`. */
import { registerHooks } from "node:module";

const victim = "/src/mapping/messages.ts";
const poisoned = new URL("poisoned-messages.ts", import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    const isOwn = context.parentURL === poisoned;
    return found.url.endsWith(victim) && !isOwn ? { ...found, url: poisoned } : found;
  },
});
