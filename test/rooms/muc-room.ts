/** A room of an XMPP service as far as those of ours who enter it can tell, for tests of that. */
import { randomUUID } from "node:crypto";
import { createAddresses } from "../../src/mapping/addresses.ts";
import { occupantPresence } from "../../src/mapping/muc-presence.ts";
import type { RoomId, UserId } from "../../src/matrix/ids.ts";
import { createMucInfos } from "../../src/rooms/muc-infos.ts";
import { createPuppets, type PuppetsDeps } from "../../src/rooms/puppets.ts";
import type { RoomLink } from "../../src/store/room-records.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import { StanzaRefusedError } from "../../src/xmpp/client.ts";
import { type BareJid, type FullJid, resourceOf } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/namespaces.ts";
import { type Element, xml } from "../../src/xmpp/stanza.ts";
import { createLogLines } from "../support/log-lines.ts";

export const muc = "verona@conference.xmpp.test" as BareJid;
export const bot = "@_xmpp_bot:hs.test" as UserId;
export const juliet = "@juliet:hs.test" as UserId;
export const nurse = "@nurse:hs.test" as UserId;
export const botJid = "bridge.xmpp.test/causeway" as FullJid;
export const jidOf = (userId: UserId): FullJid =>
  userId === bot ? botJid : (`${userId.slice(1).replace(":", "%")}@bridge.xmpp.test/matrix` as FullJid);

type Self = Partial<Parameters<typeof occupantPresence>[1]>;

/** @param members of the Matrix room, with their names there. */
export function setMucRoom(members: Record<string, string> = {}, more: Partial<PuppetsDeps> = {}) {
  const store = openSqliteStore({ path: ":memory:", now: Date.now });
  const link: RoomLink = {
    roomId: "!verona:hs.test" as RoomId,
    muc,
    kind: "plumbed",
    mode: "puppets",
    password: undefined,
    linkedBy: undefined,
    archiveId: undefined,
    isAnonymous: true,
  };
  const links = new Map([[muc, link]]);
  const occupants = new Map<string, string>();
  const sent: Element[] = [];
  /** What the room waits for before it deals with what somebody sends, by JID. */
  const doors = new Map<string, Promise<void>>();
  /** What becomes of the next presences. */
  const troubles: Error[] = [];
  const events: string[] = [];
  /** What the room answers to entering, by JID or nick: a condition. */
  const refusals = new Map<string, string>();
  const answers = new Map<string, (payload: Element) => Element | Promise<Element>>();
  answers.set(NS.discoInfo, () => xml("query", { xmlns: NS.discoInfo }));
  answers.set(NS.ping, () => xml("none", {}));
  const lane: Element[] = [];
  let turn = Promise.resolve();

  /** As it comes through the callback: heard at once, and dealt with in its turn. */
  const tell = (stanza: Element): void => {
    if (puppets.hear(stanza) || stanza.name !== "presence") return;
    lane.push(stanza);
    turn = turn.then(() => puppets.onPresence(links.get(muc) ?? link, stanza.attrs.to, stanza));
  };
  const self = (jid: string, nick: string, presence: Self = {}): void =>
    tell(
      occupantPresence(jid as FullJid, {
        room: muc,
        nick,
        isUnavailable: false,
        affiliation: "none",
        role: "participant",
        ...presence,
        statuses: new Set([110, ...(presence.statuses ?? [])]),
      }),
    );

  const enter = (jid: string, nick: string): void => {
    const before = occupants.get(jid);
    occupants.set(jid, nick);
    if (before !== undefined && before !== nick) {
      self(jid, before, { isUnavailable: true, role: "none", newNick: nick, statuses: new Set([303]) });
    }
    self(jid, nick);
  };
  const leave = (jid: string, presence: Self = {}): void => {
    const nick = occupants.get(jid) ?? "";
    occupants.delete(jid);
    self(jid, nick, { isUnavailable: true, role: "none", ...presence });
  };

  const send = async (stanza: Element): Promise<undefined> => {
    sent.push(stanza);
    const { from, to, type } = stanza.attrs;
    await doors.get(from);
    const trouble = troubles.shift();
    if (trouble) throw trouble;
    if (type === "unavailable") return void leave(from);
    const nick = resourceOf(to) ?? "";
    const isTaken = [...occupants].some(([jid, other]) => other === nick && jid !== from);
    const refusal = refusals.get(from) ?? refusals.get(nick) ?? (isTaken ? "conflict" : undefined);
    if (refusal) throw new StanzaRefusedError({ type: "cancel", condition: refusal });
    enter(from, nick);
  };
  const request = async ({ payload }: { payload: Element }): Promise<Element> => {
    const answer = answers.get(payload.getNS() ?? "");
    if (!answer) throw new StanzaRefusedError({ type: "cancel", condition: "service-unavailable" });
    return xml("iq", { type: "result" }, await answer(payload));
  };
  const component = "bridge.xmpp.test" as BareJid;
  const requests = more.requests ?? {
    request,
    requestAll: async (iq) => ({ result: await request(iq), messages: [] }),
  };
  const log = createLogLines();
  const memberMap = new Map(
    Object.entries(members).map(([userId, displayName]) => [
      userId as UserId,
      { membership: "join", displayName, avatarUrl: undefined },
    ]),
  );

  const puppets = createPuppets({
    config: { lazyAbove: 200, historyMessages: 50 },
    permissions: { "*": "user" },
    addresses: createAddresses({
      homeserverDomain: "hs.test",
      component: "bridge.xmpp.test",
      userPrefix: "_xmpp_",
      digest: () => "",
    }),
    component,
    links: {
      all: () => [...links.values()],
      ofMuc: (jid) => links.get(jid),
      async setArchiveId(jid, archiveId) {
        links.set(jid, { ...(links.get(jid) ?? link), archiveId });
      },
    },
    store,
    matrix: { history: async () => ({ events: [], end: undefined }) },
    roomStates: { of: async () => ({ members: memberMap }) as never },
    profileOf: async () => undefined,
    photoHashOf: async () => undefined,
    xmpp: { send },
    infos: createMucInfos({ component, requests }),
    requests,
    async onKicked(_, userId, { isBan, reason }) {
      events.push(`${isBan ? "banned" : "kicked"} ${userId}: ${reason}`);
    },
    async onDestroyed(_, { reason }) {
      events.push(`destroyed: ${reason}`);
    },
    onBotEntering: () => void events.push("entering"),
    onBotIn: async () => void events.push("in"),
    async onArchived(_, message, cause) {
      events.push(`${cause}: ${message.getChildText("body")}`);
    },
    newId: randomUUID,
    log: log.log,
    ...more,
  });

  return {
    store,
    link,
    links,
    puppets,
    members: memberMap,
    requests,
    troubles,
    doors,
    occupants,
    refusals,
    answers,
    events,
    sent,
    tell,
    leave,
    /** The presences that asked to enter, or for another nick. */
    asked: () =>
      sent.filter(({ attrs }) => attrs.type === undefined).map(({ attrs }) => `${attrs.from} ${attrs.to}`),
    /** Resolves once all that the room has said is dealt with. */
    settled: async (): Promise<void> => {
      for (let last: unknown; last !== turn; ) {
        last = turn;
        await turn;
      }
    },
  };
}
