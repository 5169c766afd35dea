/** Third-party lookups (Application Service API v1.15, "Third-party networks"): XMPP addresses and what they are found as. */
import type { RoomAlias, UserId } from "../matrix/ids.ts";
import { parseRoomAlias } from "../matrix/ids.ts";
import { type BareJid, bareJid, domainOf, parseJid } from "../xmpp/jid.ts";
import type { Addresses } from "./addresses.ts";

export type Fields = Readonly<Record<string, string>>;

interface Found {
  protocol: "xmpp";
  fields: { jid: BareJid };
}
export type ThirdPartyUser = Found & { userid: UserId };
export type ThirdPartyLocation = Found & { alias: RoomAlias };

export interface Network {
  addresses: Addresses;
  component: string;
}

/** One field only: clients fill the last one with what a person has typed, and all before it with presets. */
export const protocol = {
  user_fields: ["jid"],
  location_fields: ["jid"],
  icon: "",
  field_types: { jid: { regexp: "[^\\s@/]+@[^\\s@/]+", placeholder: "romeo@montague.example" } },
  instances: [{ desc: "XMPP", fields: {}, network_id: "xmpp" }],
};

const locals = ["username", "user", "localpart", "room"];
const domains = ["domain", "server"];

/** The address in a text: a JID with a local part, whose resource does not matter, or an XMPP URI (RFC 5122). */
function addressIn(text: string): BareJid | undefined {
  const uri = /^xmpp:([^?]*)/i.exec(text.trim())?.[1];
  let written = text.trim();
  try {
    if (uri !== undefined) written = decodeURIComponent(uri);
  } catch {
    return undefined;
  }
  const parts = parseJid(written);
  return parts?.local === undefined ? undefined : bareJid(parts.local, parts.domain);
}

/** The XMPP address that the fields of a lookup name: as `jid`, in two parts, or as whatever a client calls it. */
export function readAddress(fields: Fields): BareJid | undefined {
  const first = (names: readonly string[]): string | undefined =>
    names.map((name) => (Object.hasOwn(fields, name) ? fields[name] : undefined)).find(Boolean);
  const parts = `${first(locals) ?? ""}@${first(domains) ?? ""}`;
  const written = [first(["jid"]), parts, ...Object.values(fields)];
  return written.map((text) => addressIn(text ?? "")).find((jid) => jid !== undefined);
}

const found = (jid: BareJid): Found => ({ protocol: "xmpp", fields: { jid } });

/** The ghost of an XMPP user. On the bridge's own component stand Matrix users, who are found as themselves. */
export function userAt(jid: BareJid, { addresses, component }: Network): ThirdPartyUser | undefined {
  if (domainOf(jid) !== component) return { userid: addresses.ghostOf(jid), ...found(jid) };
  const userid = addresses.userOfJid(jid);
  const isOurs = userid === addresses.botUserId || (userid !== undefined && addresses.isGhost(userid));
  return userid === undefined || isOurs ? undefined : { userid, ...found(jid) };
}

/** The alias of an XMPP room. On the bridge's own component stand Matrix rooms, which are found as themselves. */
export function locationAt(jid: BareJid, { addresses, component }: Network): ThirdPartyLocation | undefined {
  if (domainOf(jid) !== component) return { alias: addresses.aliasOf(jid), ...found(jid) };
  const alias = parseRoomAlias(addresses.roomOfJid(jid) ?? "");
  const isOurs = alias !== undefined && addresses.jidOfAlias(alias) !== undefined;
  return alias === undefined || isOurs ? undefined : { alias, ...found(jid) };
}

/** @param jid whom the ghost stands for; undefined where it is none. */
export const usersFor = (userid: UserId, jid: BareJid | undefined): ThirdPartyUser[] =>
  jid === undefined ? [] : [{ userid, ...found(jid) }];

export function locationsFor(alias: RoomAlias, { addresses, component }: Network): ThirdPartyLocation[] {
  const jid = addresses.jidOfAlias(alias);
  return jid === undefined || domainOf(jid) === component ? [] : [{ alias, ...found(jid) }];
}
