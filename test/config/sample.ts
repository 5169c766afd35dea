/** A configuration for tests to start from: every required key and nothing else. */
import type { z } from "zod";
import { type Config, configSchema } from "../../src/config/schema.ts";

export const sample = {
  homeserver: { url: "http://127.0.0.1:8008", domain: "hs.test" },
  appservice: {
    id: "causeway",
    url: "http://127.0.0.1:9555",
    asToken: "as-token-0123456789",
    hsToken: "hs-token-0123456789",
  },
  xmpp: {
    component: "bridge.xmpp.test",
    restUrl: "http://127.0.0.1:5280/rest",
    restAuth: { username: "bridge.xmpp.test", password: "component secret" },
    callbackSecret: "callback0123456789",
  },
  listen: { host: "127.0.0.1", port: 9555 },
  admin: { host: "127.0.0.1", port: 9556 },
  publicUrl: "http://127.0.0.1:9555",
  database: "sqlite:./data/causeway.db",
  permissions: { "*": "user" },
} satisfies z.input<typeof configSchema>;

export const sampleConfig = (xmpp: Partial<Config["xmpp"]> = {}): Config => {
  const config = configSchema.parse(sample);
  return { ...config, xmpp: { ...config.xmpp, ...xmpp } };
};
