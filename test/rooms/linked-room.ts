/** A Matrix room and a MUC that are linked, with Juliet and the bot in both and Romeo as an occupant, for tests of what is said there. */
import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import type { Attempt } from "../../src/bridge/from-xmpp.ts";
import { createMessageParts } from "../../src/bridge/message-parts.ts";
import { createRoomStates } from "../../src/bridge/room-state.ts";
import { txnId } from "../../src/bridge/txn-id.ts";
import { type MatrixEvent, parseEvent } from "../../src/matrix/event.ts";
import { type EventId, localpartOf, type RoomId, type UserId } from "../../src/matrix/ids.ts";
import { createRoomMessages } from "../../src/rooms/messages.ts";
import type { RoomLink } from "../../src/store/room-records.ts";
import { type BareJid, type FullJid, fullJid, type Jid, resourceOf } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/namespaces.ts";
import { createIqRequests } from "../../src/xmpp/requests.ts";
import { copyOf, type Element, errorReply, serialize, xml } from "../../src/xmpp/stanza.ts";
import { component, botJid as listener, setEdges } from "./edges.ts";

export const muc = "verona@conference.xmpp.test" as BareJid;
export const juliet = "@juliet:hs.test" as UserId;
export const julietsPuppet = "juliet%hs.test@bridge.xmpp.test/matrix" as FullJid;
const romeosKey = "occupant-1";

/** Without what is the same in every stanza of ours. */
export const told = (stanza: Element | undefined): string =>
  (stanza?.getChildElements() ?? [])
    .filter(({ name, attrs }) => name !== "origin-id" && attrs.xmlns !== NS.via)
    .map((child) => serialize(child))
    .join("");

export async function setLinkedRoom(
  t: TestContext,
  mode: RoomLink["mode"] = "puppets",
  reflectsWithinMs = 200,
) {
  const heard: Element[] = [];
  const refusals: { type: string; condition: string }[] = [];
  const { homeserver, store, addresses, matrix, xmpp, log, lines } = await setEdges(t, (stanza) => {
    const refusal = stanza.name === "message" || stanza.name === "iq" ? refusals.shift() : undefined;
    heard.push(stanza);
    if (refusal) return errorReply(stanza, refusal);
    const { from, to, id } = stanza.attrs;
    return stanza.name === "iq" ? xml("iq", { type: "result", from: to, to: from, id }) : undefined;
  });
  const person = homeserver.user("juliet");
  const roomId = person.createRoom() as RoomId;
  const enter = async (userId: UserId): Promise<void> => {
    await matrix.register(localpartOf(userId));
    person.invite(roomId, userId);
    await matrix.join(userId, roomId);
  };
  await enter(addresses.botUserId);

  const link: RoomLink = {
    roomId,
    muc,
    kind: "portal",
    mode,
    password: undefined,
    linkedBy: juliet,
    archiveId: undefined,
    isAnonymous: true,
  };
  await store.links.save(link);
  const nicks = new Map<UserId, string>([[addresses.botUserId, "Causeway"]]);
  if (mode === "puppets") nicks.set(juliet, "Juliet");
  const ghostOf = (key: string): UserId => addresses.ghostOf(fullJid(muc, key));
  const occupant = async (nick: string, key: string): Promise<void> => {
    const [ghost, jid] = [ghostOf(key), fullJid(muc, key)];
    await enter(ghost);
    await store.occupants.save({
      muc,
      key,
      nick,
      ghost,
      jid,
      affiliation: "none",
      role: "participant",
      isIn: true,
    });
  };
  await occupant("Romeo", romeosKey);

  const subjects: string[] = [];
  const rejoined: UserId[] = [];
  const conversed: { message: Element; userId: UserId; jid: Jid }[] = [];
  const messages = createRoomMessages({
    addresses,
    permissions: { "*": "user", "@tybalt:hs.test": "block" },
    config: { relayTemplate: "{name}: {message}", relayNotices: true },
    component,
    links: { ofMuc: () => link, setArchiveId: store.links.setArchiveId },
    store,
    roomStates: createRoomStates({ matrix }),
    puppets: {
      ensure: async (_, userId) => fullJid(addresses.jidOfUser(userId), "matrix"),
      ensureBot: async () => listener,
      caughtUp: async () => {},
      async rejoin(_, userId) {
        rejoined.push(userId);
        return userId === addresses.botUserId ? listener : fullJid(addresses.jidOfUser(userId), "matrix");
      },
      nickOf: (_, userId) => nicks.get(userId),
      userOfOccupantId: (_, id) => (id === "juliets-id" ? juliet : undefined),
      userOfNick: (_, nick) => [...nicks].find(([, candidate]) => candidate === nick)?.[0],
    },
    occupants: {
      async speakerOf(_, stanza) {
        const nick = resourceOf(stanza.attrs.from as Jid) ?? "";
        const known = await store.occupants.ofNick(muc, nick);
        return { ghost: known?.ghost as UserId, jid: known?.jid as Jid, nick };
      },
      nickOf: async (_, ghost) => (await store.occupants.ofGhost(muc, ghost))?.nick,
      ghostOfNick: async (_, nick) => (await store.occupants.ofNick(muc, nick))?.ghost,
    },
    onSubject: async (_, message) => void subjects.push(message.getChildText("subject") ?? ""),
    messages: createMessageParts({
      addresses,
      store,
      matrix,
      media: {
        linkOf: ({ name }) => `https://bridge.example/media/${name}`,
        maxBytes: 1024,
        importFile: async ({ name }) => ({ msgtype: "m.file", body: name ?? "" }),
      },
      xhtmlIm: false,
      profileOf: matrix.profile,
      txnId,
      now: Date.now,
      log,
    }),
    matrix,
    xmpp,
    requests: createIqRequests({ xmpp, component, newId: randomUUID }),
    sendOnce: async ({ roomId: room, ghost }, content, { cause }, { part = 0, sentAt } = {}) => {
      const made = typeof content === "function" ? await content() : content;
      return matrix.send(ghost, room, "m.room.message", made, txnId(cause, `${ghost} ${part}`), sentAt);
    },
    matters: () => true,
    reflectsWithinMs,
    converse: async (message, userId, jid) => void conversed.push({ message, userId, jid }),
    now: Date.now,
    log,
  });

  const attempt = (): Attempt => ({ cause: randomUUID(), mayRepeat: false, acceptedAt: Date.now() });
  /** What others have done in the Matrix room since the link was made. */
  const seen = (): MatrixEvent[] =>
    person
      .timeline(roomId)
      .flatMap((event) => parseEvent(event) ?? [])
      .filter(({ sender, state_key }) => sender !== juliet && state_key === undefined);
  const toListener = (from: string, children: Element[], attrs: Record<string, string> = {}): Element =>
    xml("message", { type: "groupchat", from, to: listener, ...attrs }, ...children);
  const stanzaId = (id: string): Element => xml("stanza-id", { xmlns: NS.stableId, id, by: muc });

  const deliver = async (id: EventId, mayRepeat = false): Promise<Element[]> => {
    const before = heard.length;
    const event = person.timeline(roomId).find(({ event_id }) => event_id === id);
    await messages.onEvent(link, parseEvent(event) as MatrixEvent, mayRepeat);
    return heard.slice(before);
  };

  return {
    homeserver,
    store,
    link,
    roomId,
    person,
    messages,
    addresses,
    lines,
    heard,
    refusals,
    rejoined,
    subjects,
    conversed,
    ghost: ghostOf(romeosKey),
    nicks,
    occupant,
    seen,
    attempt,
    toListener,
    stanzaId,
    /** Somebody in the MUC says something, of which the bot hears. @returns what was new on Matrix afterwards. */
    async hear(
      from: string,
      children: Element[],
      attrs: Record<string, string> = {},
    ): Promise<MatrixEvent[]> {
      const before = seen().length;
      await messages.onStanza(link, toListener(`${muc}/${from}`, children, attrs), attempt());
      return seen().slice(before);
    },
    /** The MUC gives out what one of ours has said, and calls it so. */
    async reflect(stanza: Element | undefined, nick: string, id: string): Promise<void> {
      if (!stanza) throw new Error("there is nothing to give back");
      const copy = copyOf(stanza);
      Object.assign(copy.attrs, { from: `${muc}/${nick}`, to: listener });
      copy.append(stanzaId(id));
      await messages.onStanza(link, copy, attempt());
    },
    /** Juliet does something. @returns her event, and what the MUC was sent for it. */
    async say(
      type: string,
      content: Record<string, unknown>,
      mayRepeat = false,
    ): Promise<{ id: EventId; stanzas: Element[] }> {
      const id = person.send(roomId, type, content) as EventId;
      return { id, stanzas: await deliver(id, mayRepeat) };
    },
    deliver,
  };
}
