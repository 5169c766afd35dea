/** The registration that a configuration implies (Matrix Application Service API v1.13 §Registration). */
import { stringify } from "yaml";
import type { Config } from "./schema.ts";

export interface Namespace {
  exclusive: boolean;
  regex: string;
}

export interface Registration {
  id: string;
  url: string;
  as_token: string;
  hs_token: string;
  sender_localpart: string;
  rate_limited: boolean;
  receive_ephemeral: boolean;
  "de.sorunome.msc2409.push_ephemeral": boolean;
  protocols: string[];
  namespaces: { users: Namespace[]; aliases: Namespace[]; rooms: Namespace[] };
}

export function registrationOf({ homeserver, appservice }: Config): Registration {
  const { id, url, asToken, hsToken, userPrefix } = appservice;
  // Anchored at both ends: some homeservers match a pattern anywhere in the ID, others only from its start.
  const namespace = (sigil: string): Namespace => ({
    exclusive: true,
    regex: `^${sigil}${escapeRegex(userPrefix)}.*:${escapeRegex(homeserver.domain)}$`,
  });
  return {
    id,
    url,
    as_token: asToken,
    hs_token: hsToken,
    sender_localpart: `${userPrefix}bot`,
    rate_limited: false,
    receive_ephemeral: true,
    // COMPAT(Synapse before v1.13 of the specification): the same wish under its name while it was a proposal.
    "de.sorunome.msc2409.push_ephemeral": true,
    protocols: ["xmpp"],
    namespaces: { users: [namespace("@")], aliases: [namespace("#")], rooms: [] },
  };
}

const header = `# Causeway's registration. It holds secrets. Where it goes:
# - Synapse: its path into app_service_config_files in homeserver.yaml; then restart Synapse
# - Dendrite: its path into config_files of app_service_api in dendrite.yaml; then restart Dendrite
# - continuwuity, tuwunel: its text into a code block below "!admin appservices register", said in the admin room
`;

export const registrationYamlOf = (config: Config): string =>
  header + stringify(registrationOf(config), { lineWidth: 0 });

const escapeRegex = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
