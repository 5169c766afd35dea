/** Presence of an occupant of an XMPP room, read and written: XEP-0045 1.35, XEP-0421 1.0.1, XEP-0153, XEP-0172. */
import { type Affiliation, parseAffiliation, parseRole, type Role } from "../xmpp/affiliation.ts";
import { type BareJid, bareOf, type FullJid, type Jid, parseJid, resourceOf } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, xml, xmlSafe } from "../xmpp/stanza.ts";

export interface OccupantPresence {
  room: BareJid;
  nick: string;
  isUnavailable: boolean;
  affiliation: Affiliation;
  role: Role;
  /** Only where the room shows it to the receiver. */
  realJid?: Jid;
  /** What they are called from now on (status 303). */
  newNick?: string;
  /** The status codes of XEP-0045 §15.6. */
  statuses: ReadonlySet<number>;
  /** XEP-0421; it means nothing unless the room itself announces the feature. */
  occupantId?: string;
  /** Who kicked or banned them, by nick. */
  actor?: string;
  reason?: string;
  /** The room is no more, and where it is continued. */
  destroyed?: { jid?: BareJid; reason?: string };
  /** XEP-0153, "" for no picture; undefined where nothing is said of it. */
  photoHash?: string;
  /** XEP-0172: what they call themselves, where the nick cannot say it. */
  nickname?: string;
}

const textOf = (element: Element | undefined, name: string): string | undefined => {
  const text = element?.getChildText(name);
  return text ? xmlSafe(text) : undefined;
};

const jidOr = (text: unknown): Jid | undefined =>
  typeof text === "string" && parseJid(text) !== undefined ? (text as Jid) : undefined;

function readDestroyed(destroy: Element): NonNullable<OccupantPresence["destroyed"]> {
  const [jid, reason] = [jidOr(destroy.attrs.jid), textOf(destroy, "reason")];
  return { ...(jid && { jid: bareOf(jid) }), ...(reason && { reason }) };
}

/** @returns undefined for anything but the presence of an occupant: subscriptions, errors, no nick, no muc#user. */
export function readOccupantPresence(stanza: Element): OccupantPresence | undefined {
  const { from, type } = stanza.attrs;
  const jid = jidOr(from);
  const nick = jid && resourceOf(jid);
  const user = readChild(stanza, NS.mucUser, "x");
  const isUnavailable = type === "unavailable";
  if (stanza.name !== "presence" || !nick || !user || (type !== undefined && !isUnavailable))
    return undefined;
  const item = user.getChild("item");
  const statuses = user.getChildren("status").map(({ attrs }) => Number(attrs.code));
  const realJid = jidOr(item?.attrs.jid);
  // Their JID is shown to moderators, and what is read here is told to everybody.
  const actorName: unknown = item?.getChild("actor")?.attrs.nick;
  const destroy = user.getChild("destroy");
  const occupantId: unknown = readChild(stanza, NS.occupantId, "occupant-id")?.attrs.id;
  const photo = readChild(stanza, NS.vcardUpdate, "x")?.getChild("photo");
  const [reason, nickname] = [
    textOf(item, "reason"),
    readChild(stanza, NS.nick, "nick")?.getText() || undefined,
  ];
  const newNick: unknown = item?.attrs.nick;
  return {
    room: bareOf(jid),
    nick,
    isUnavailable,
    affiliation: parseAffiliation(item?.attrs.affiliation) ?? "none",
    role: parseRole(item?.attrs.role) ?? (isUnavailable ? "none" : "participant"),
    statuses: new Set(statuses),
    ...(realJid && { realJid }),
    ...(typeof newNick === "string" && newNick !== "" && { newNick }),
    ...(typeof occupantId === "string" && occupantId !== "" && { occupantId }),
    ...(typeof actorName === "string" && { actor: actorName }),
    ...(reason && { reason }),
    ...(destroy && { destroyed: readDestroyed(destroy) }),
    ...(photo && { photoHash: photo.getText() }),
    ...(nickname && { nickname: xmlSafe(nickname) }),
  };
}

/** The stanza that `readOccupantPresence` reads. @param to a full JID, of the occupant who is told. */
export function occupantPresence(to: FullJid, presence: OccupantPresence, ...more: Element[]): Element {
  const { room, nick, isUnavailable, affiliation, role, realJid, newNick, occupantId } = presence;
  const { statuses, actor, reason, destroyed, photoHash, nickname } = presence;
  const item = xml(
    "item",
    { affiliation, role, ...(realJid && { jid: realJid }), ...(newNick && { nick: newNick }) },
    ...(actor ? [xml("actor", { nick: actor })] : []),
    ...(reason ? [xml("reason", {}, reason)] : []),
  );
  const destroy = destroyed && [
    xml(
      "destroy",
      destroyed.jid ? { jid: destroyed.jid } : {},
      ...(destroyed.reason ? [xml("reason", {}, destroyed.reason)] : []),
    ),
  ];
  return xml(
    "presence",
    { from: `${room}/${nick}`, to, ...(isUnavailable && { type: "unavailable" }) },
    ...more,
    ...(nickname ? [xml("nick", { xmlns: NS.nick }, nickname)] : []),
    ...(photoHash === undefined
      ? []
      : [xml("x", { xmlns: NS.vcardUpdate }, xml("photo", {}, ...(photoHash ? [photoHash] : [])))]),
    xml(
      "x",
      { xmlns: NS.mucUser },
      item,
      ...(destroy ?? []),
      ...[...statuses].sort((a, b) => a - b).map((code) => xml("status", { code: String(code) })),
    ),
    ...(occupantId ? [xml("occupant-id", { xmlns: NS.occupantId, id: occupantId })] : []),
  );
}
