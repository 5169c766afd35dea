/** The command that says what an address of one network is on the other. */
import { within } from "../bridge/within.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { type Description, describe, softwareOf } from "../mapping/descriptions.ts";
import type { Profile } from "../matrix/client.ts";
import {
  domainOf as homeserverOf,
  parseRoomAlias,
  parseRoomId,
  parseUserId,
  type RoomAlias,
  type RoomId,
  type UserId,
} from "../matrix/ids.ts";
import { StanzaRefusedError } from "../xmpp/client.ts";
import { type BareJid, bareOf, domainOf, type Jid, localOf, parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, xml } from "../xmpp/stanza.ts";
import type { Command, Reply } from "./command.ts";
import { withoutLink } from "./targets.ts";

export interface WhoisDeps {
  addresses: Addresses;
  component: BareJid;
  homeserverDomain: string;
  /** The XMPP user behind a ghost; undefined where it stands for nobody. */
  jidOfGhost(userId: UserId): Promise<BareJid | undefined>;
  /** @returns undefined where there is no such Matrix user. */
  profileOf(userId: UserId): Promise<Profile | undefined>;
  /** Asks an XMPP entity. @throws StanzaRefusedError where it refuses, another error where it does not answer. */
  ask(to: BareJid, payload: Element): Promise<Element>;
}

const malformed: Reply = {
  text:
    "That is no address. On XMPP one looks like bob@xmpp.example, on Matrix like @alice:matrix.example, " +
    "#room:matrix.example or !id:matrix.example.",
  failed: true,
};

/** In milliseconds; whoever asks by a form waits for the answer. */
const patience = 6000;

const kindOf = (found: Description | undefined): string | undefined =>
  found && (found.kind ?? "an XMPP entity");

export function createWhois(deps: WhoisDeps): Command {
  const { addresses, component, homeserverDomain } = deps;

  const aboutBridge: Reply = {
    text: `This is the bridge itself: ${addresses.botUserId} on Matrix, ${component} on XMPP.`,
  };

  const aboutJid = async (jid: BareJid): Promise<Reply> => {
    const [info, version] = await Promise.allSettled([
      within(patience, deps.ask(jid, xml("query", { xmlns: NS.discoInfo }))),
      within(patience, deps.ask(domainOf(jid) as BareJid, xml("query", { xmlns: NS.version }))),
    ]);
    const answerOf = (settled: typeof info) => (settled.status === "fulfilled" ? settled.value : undefined);
    const [described, versioned] = [answerOf(info), answerOf(version)];
    const found: Description | undefined = described && describe(described);
    const software = versioned && softwareOf(versioned);
    const refused = info.status === "rejected" && info.reason instanceof StanzaRefusedError;
    const name = found?.name ? ` (“${found.name}”)` : "";
    // Most servers say nothing of an account to those who are not in its roster, whether it exists or not.
    const silent = refused ? "does not say to the bridge what it is" : "did not answer the bridge";
    // A service that has rooms describes itself as they do.
    const isRoom = found?.isRoom && localOf(jid) !== undefined;
    const kind = found?.isRoom && !isRoom ? "a service with chat rooms" : kindOf(found);
    const lines = [
      kind ? `${jid} is ${kind}${name}.` : `${jid} is an XMPP address; it ${silent}.`,
      ...(software ? [`The server ${domainOf(jid)} runs ${software}.`] : []),
      ...(isRoom
        ? [`Its alias on Matrix is ${addresses.aliasOf(jid)}. To enter it: join ${jid}`]
        : [`On Matrix it is ${addresses.ghostOf(jid)}`]),
    ];
    return { text: lines.join("\n") };
  };

  const aboutUser = async (userId: UserId): Promise<Reply> => {
    const profile = await deps.profileOf(userId);
    if (!profile) return { text: `There is no Matrix user ${userId}.`, failed: true };
    const name = profile.displayName ? ` (“${profile.displayName}”)` : "";
    const isOurs = homeserverOf(userId) === homeserverDomain;
    const remark = isOurs ? "" : " of another homeserver, which the bridge does not ask";
    return {
      text: `${userId}${name} is a Matrix user${remark}.\nOn XMPP it is ${addresses.jidOfUser(userId)}`,
    };
  };

  const aboutGhost = async (ghost: UserId): Promise<Reply> => {
    const jid = await deps.jidOfGhost(ghost);
    if (!jid)
      return { text: `${ghost} stands for nobody: it is no address that the bridge made.`, failed: true };
    const about = await aboutJid(jid);
    return { text: `${ghost} stands for ${jid}.\n${about.text}` };
  };

  const aboutRoom = (room: RoomId | RoomAlias): Reply => {
    const behind = room.startsWith("#") ? addresses.jidOfAlias(room as RoomAlias) : undefined;
    const text = behind
      ? `${room} stands for the XMPP room ${behind}.`
      : `${room} is a Matrix room.\nIts address on XMPP is ${addresses.jidOfRoom(room)}`;
    return { text };
  };

  const onComponent = async (jid: Jid): Promise<Reply> => {
    if (localOf(jid) === undefined) return aboutBridge;
    const userId = addresses.userOfJid(jid);
    if (userId) return aboutUser(userId);
    const room = addresses.roomOfJid(jid);
    return room ? aboutRoom(room) : { text: `${jid} stands for nobody on Matrix.`, failed: true };
  };

  const lookUp = async (text: string): Promise<Reply> => {
    const userId = parseUserId(text);
    if (userId === addresses.botUserId) return aboutBridge;
    if (userId) return addresses.isGhost(userId) ? aboutGhost(userId) : aboutUser(userId);
    const room = parseRoomAlias(text) ?? parseRoomId(text);
    // A Matrix room's address on XMPP begins like the room itself.
    if (room && !text.includes("@")) return aboutRoom(room);
    if (text.startsWith("@") || /\s/.test(text)) return malformed;
    const parts = parseJid(text);
    if (!parts) return malformed;
    const jid = bareOf((parts.local === undefined ? parts.domain : `${parts.local}@${parts.domain}`) as Jid);
    return parts.domain === component ? onComponent(jid) : aboutJid(jid);
  };

  return {
    name: "whois",
    summary: "says what an address is on the other network",
    fields: [{ name: "address", label: "Address on Matrix or XMPP", required: true }],
    examples: ["whois bob@xmpp.example", "whois #garden:matrix.example"],
    run: async (_caller, { address = "" }) => lookUp(withoutLink(address)),
  };
}
