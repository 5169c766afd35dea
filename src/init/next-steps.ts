/** What `causeway init` says in the end: what it wrote, and what to paste where, for each kind of homeserver. */
import { isIP } from "node:net";
import { join, resolve } from "node:path";
import type { Config } from "../config/schema.ts";
import type { HomeserverKind } from "./questions.ts";

const synapse = (file: string): string => `1. Synapse: let it read the registration,
     sudo install -o matrix-synapse -m 0600 ${file} /etc/matrix-synapse/causeway.yaml
   name it in /etc/matrix-synapse/homeserver.yaml,
     app_service_config_files:
       - /etc/matrix-synapse/causeway.yaml
   and restart Synapse:
     sudo systemctl restart matrix-synapse`;

const dendrite = (file: string): string => `1. Dendrite: let it read the registration: copy
     ${file}
   to where Dendrite can read it and nobody else, such as beside dendrite.yaml, name it there,
     app_service_api:
       config_files:
         - /etc/dendrite/causeway.yaml
   and restart Dendrite.`;

const inAdminRoom = (name: string, file: string): string => `1. ${name}: send this message to its admin room,
   with the text of ${file}
   between the two lines of backticks (the room then holds the secrets of the bridge):
     !admin appservices register
     \`\`\`
     …
     \`\`\`
   It counts at once. \`!admin appservices list\` shows it.`;

const registering: Record<HomeserverKind, (file: string) => string> = {
  synapse,
  dendrite,
  continuwuity: (file) => inAdminRoom("continuwuity", file),
  tuwunel: (file) => inAdminRoom("tuwunel", file),
};

const allowing: Record<HomeserverKind, string> = {
  synapse: "Synapse needs its address in `ip_range_whitelist` of homeserver.yaml",
  dendrite: "it must be able to reach that address",
  continuwuity: "it must not be in `ip_range_denylist` of its configuration",
  tuwunel: "it must not be in `ip_range_denylist` of its configuration",
};

/** An address that homeservers by default send no notification to. */
function isPrivate(url: string): boolean {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) === 0) return host === "localhost";
  return /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|::1$|f[cd])/i.test(host);
}

function pushNote(kind: HomeserverKind, { publicUrl }: Config): string {
  if (!isPrivate(publicUrl)) {
    return `\n4. Notifications: let a reverse proxy hand ${publicUrl}/_matrix/push/ on to the bridge,
   and ${publicUrl}/media/ for links to files (docs/operators.md has its lines).\n`;
  }
  return `\n4. Notifications: publicUrl is ${publicUrl}, which no other homeserver reaches.
   For yours to send notifications there, ${allowing[kind]}.\n`;
}

/**
 * What is left to do by hand, with Debian's paths as the example.
 * @param launcher the script that Causeway is started with.
 */
export function nextSteps(
  dir: string,
  files: readonly string[],
  config: Config,
  kind: HomeserverKind,
  launcher: string,
): string {
  const at = (name: string): string => join(resolve(dir), name);
  return `Wrote, readable by you alone as they hold secrets:${files.map((name) => `\n  ${at(name)}`).join("")}

${registering[kind](at("registration.yaml"))}

2. Prosody 0.12, 13 or newer: needs mod_rest of 2026 (Debian: prosody-modules of trixie-backports or sid; docs/operators.md
   says what to do elsewhere), then the component ${config.xmpp.component}:
     sudo install -o root -g prosody -m 0640 ${at("prosody.cfg.lua")} /etc/prosody/conf.d/causeway.cfg.lua
     sudo systemctl restart prosody

3. Causeway: what is still wrong, and then the bridge itself:
     node ${launcher} check --config ${at("config.json")}
     node ${launcher} run --config ${at("config.json")}
${pushNote(kind, config)}`;
}
