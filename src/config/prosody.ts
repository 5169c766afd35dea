/** The part of Prosody's configuration that a configuration of ours implies: one component served by mod_rest. */
import { isIPv6 } from "node:net";
import type { Config } from "./schema.ts";

/** The path of mod_rest's callback below `listen`. */
export const callbackPath = "/xmpp/callback";
/** The user name that mod_rest presents there. */
export const callbackUser = "prosody";

/**
 * Where mod_rest posts to: user and secret are in the URL, as mod_rest knows no other way to authenticate itself. It
 * fills the sender in, by which the bridge knows a forged stanza (docs/servers.md, "Callbacks of mod_rest").
 */
export function callbackUrlOf({ xmpp, listen }: Pick<Config, "xmpp" | "listen">): string {
  const base = xmpp.callbackUrl ?? `http://${reachable(listen.host)}:${listen.port}`;
  return `${base.replace("://", `://${callbackUser}:${xmpp.callbackSecret}@`)}${callbackPath}?from={from}`;
}

/**
 * Where a listener on this host is called from its own machine: listening everywhere is no address to call. A literal
 * address, since each look-up of a name would take its own time and put stanzas out of order.
 */
export function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "::" || host === "localhost") return "127.0.0.1";
  return isIPv6(host) ? `[${host}]` : host;
}

export function prosodyConfigOf(config: Config): string {
  const { component, restUrl } = config.xmpp;
  return `-- Causeway's component, for Prosody 0.12, 13 and newer. It holds secrets.
--
-- Where it goes: a file of its own in the folder that prosody.cfg.lua includes (/etc/prosody/conf.d/causeway.cfg.lua
-- on Debian, readable by the group prosody alone), or the very end of prosody.cfg.lua: what follows a Component line
-- belongs to that component. Then restart Prosody.
--
-- mod_rest is a community module; it has to be of 2026 or newer (Debian: prosody-modules of trixie-backports or sid).
-- The line below loads it for this component; it needs no entry in modules_enabled. Prosody looks for the folder
-- mod_rest in its plugin_paths, a setting of the global section, on Debian /usr/local/lib/prosody/modules.
Component ${luaString(component)} "rest"
${authLines(config)
  .map((line) => `    ${line}`)
  .join("\n")}
    rest_callback_url = ${luaString(callbackUrlOf(config))}
    -- The host in the bridge's xmpp.restUrl: for any other, Prosody's web server answers 404.
    http_host = ${luaString(new URL(restUrl).hostname)}
`;
}

function authLines({ xmpp: { component, restAuth } }: Config): string[] {
  if (restAuth === undefined) {
    return [
      "-- The bridge's xmpp.restAuth is left out. Only the very first mod_rest, of December 2019, answers without",
      "-- credentials; for any later one set restAuth to the component's name and a password, and generate this again.",
    ];
  }
  if ("bearer" in restAuth) {
    return [
      "-- The bridge's xmpp.restAuth is a bearer token. mod_rest compared it with this setting until February 2020;",
      "-- for any later one set restAuth to the component's name and a password, and generate this again.",
      `rest_credentials = ${luaString(`Bearer ${restAuth.bearer}`)}`,
    ];
  }
  const mismatch =
    restAuth.username === component
      ? []
      : [
          "-- mod_rest knows a component by its own name only: xmpp.restAuth.username of the bridge must be that.",
        ];
  return [...mismatch, `component_secret = ${luaString(restAuth.password)}`];
}

/** A Lua string literal in one line, whatever the text holds (Lua 5.1 to 5.4 manual, Lexical Conventions). */
export const luaString = (text: string): string =>
  `"${text
    .replace(/["\\]/g, "\\$&")
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what has to be escaped
    .replace(/[\u0000-\u001f\u007f]/g, (char) => `\\${char.charCodeAt(0).toString().padStart(3, "0")}`)}"`;
