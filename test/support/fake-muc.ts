/** A room of the stand-in for Prosody as its occupants meet it: enough of XEP-0045 to come, talk, be put out and go. */
import { randomUUID } from "node:crypto";
import { bareOf, type Jid, resourceOf } from "../../src/xmpp/jid.ts";
import { type Element, errorReply, xml } from "../../src/xmpp/stanza.ts";

const muc = "http://jabber.org/protocol/muc";

interface FakeOccupant {
  jid: string;
  nick: string;
  affiliation: string;
  role: string;
}

export interface FakeMucOptions {
  name?: string;
  /** Beside those of every room, such as "muc_membersonly". */
  features?: string[];
  /** Who may not come in, by bare JID, and the condition that tells them, with the address behind it if there is one. */
  refuse?: Record<string, string>;
  /** Told of what comes back from the bridge with an error, or for want of it. */
  onBounce?: (stanza: Element) => void;
}

export type FakeMuc = ReturnType<typeof createFakeMuc>;

/** @param hand gives a stanza to whomever it is for. */
export function createFakeMuc(jid: string, options: FakeMucOptions, hand: (stanza: Element) => void) {
  const { name = "", features = [], refuse = {} } = options;
  const occupants = new Map<string, FakeOccupant>();
  let subject = "";
  const idOf = (of: string): string => `id-of-${bareOf(of as Jid)}`;
  const shownJid = (of: string) => (features.includes("muc_nonanonymous") ? { jid: of } : {});

  const presence = (
    to: FakeOccupant,
    { jid: of, nick, affiliation, role }: FakeOccupant,
    statuses: string[],
    more: { type?: string; item?: Record<string, string>; children?: Element[] } = {},
  ): Element =>
    xml(
      "presence",
      { from: `${jid}/${nick}`, to: to.jid, ...(more.type && { type: more.type }) },
      xml("occupant-id", { xmlns: "urn:xmpp:occupant-id:0", id: idOf(of) }),
      xml(
        "x",
        { xmlns: `${muc}#user` },
        xml("item", { affiliation, role, ...shownJid(of), ...more.item }, ...(more.children ?? [])),
        ...[...statuses, ...(to.nick === nick ? ["110"] : [])].map((code) => xml("status", { code })),
      ),
    );
  const tell = (make: (to: FakeOccupant) => Element): void => {
    for (const to of occupants.values()) hand(make(to));
  };

  const leave = (who: FakeOccupant, statuses: string[] = [], children: Element[] = []): void => {
    const gone = { ...who, role: "none" };
    tell((to) => presence(to, gone, statuses, { type: "unavailable", children }));
    occupants.delete(who.nick);
  };

  const join = (stanza: Element): Element | undefined => {
    const { from, to } = stanza.attrs;
    const nick = resourceOf(to as Jid) ?? "";
    const [condition, address] = refuse[bareOf(from as Jid)]?.split(" ") ?? [];
    if (condition) return errorReply(stanza, { type: "auth", condition, ...(address && { address }) });
    if (occupants.has(nick) && occupants.get(nick)?.jid !== from) {
      return errorReply(stanza, { type: "cancel", condition: "conflict" });
    }
    const who = { jid: String(from), nick, affiliation: "none", role: "participant" };
    const isNew = !occupants.has(nick);
    occupants.set(nick, who);
    for (const other of occupants.values()) {
      if (other !== who) hand(presence(who, other, []));
      if (other !== who && isNew) hand(presence(other, who, []));
    }
    hand(presence(who, who, []));
    hand(xml("message", { from: jid, to: who.jid, type: "groupchat" }, xml("subject", {}, subject)));
    return undefined;
  };

  const say = (who: FakeOccupant, message: Element): void => {
    if (message.getChild("subject") && !message.getChild("body")) {
      subject = message.getChildText("subject") ?? "";
    }
    const stanzaId = xml("stanza-id", { xmlns: "urn:xmpp:sid:0", by: jid, id: randomUUID() });
    tell((to) =>
      xml(
        "message",
        { ...message.attrs, from: `${jid}/${who.nick}`, to: to.jid, type: "groupchat" },
        ...(message.children as Element[]),
        xml("occupant-id", { xmlns: "urn:xmpp:occupant-id:0", id: idOf(who.jid) }),
        stanzaId,
      ),
    );
  };

  const answer = (iq: Element): Element => {
    const [payload] = iq.getChildElements();
    const { from, to, id } = iq.attrs;
    const result = (...children: Element[]) =>
      xml("iq", { type: "result", from: to, to: from, id }, ...children);
    if (payload?.attrs.xmlns === "http://jabber.org/protocol/disco#info") {
      const all = [
        muc,
        "urn:xmpp:occupant-id:0",
        `${muc}#stable_id`,
        "muc_semianonymous",
        "muc_public",
        ...features,
      ];
      return result(
        xml(
          "query",
          { xmlns: payload.attrs.xmlns },
          xml("identity", { category: "conference", type: "text", ...(name && { name }) }),
          ...all.map((feature) => xml("feature", { var: feature })),
        ),
      );
    }
    if (payload?.name === "ping") {
      const isIn = occupants.get(resourceOf(to as Jid) ?? "")?.jid === from;
      return isIn ? result() : errorReply(iq, { type: "cancel", condition: "not-acceptable" });
    }
    return errorReply(iq, { type: "auth", condition: "forbidden" });
  };

  return {
    jid,
    occupants,
    nicks: (): string[] => [...occupants.keys()].sort(),
    /** What somebody sends to the room. @returns what it answers at once. */
    take(stanza: Element): Element | undefined {
      if (stanza.name === "iq") return answer(stanza);
      const who = [...occupants.values()].find((one) => one.jid === stanza.attrs.from);
      if (stanza.name === "message") {
        const isSubject = stanza.getChild("subject") !== undefined && !stanza.getChild("body");
        if (isSubject && who?.role !== "moderator")
          return errorReply(stanza, { type: "auth", condition: "forbidden" });
        if (!who) return errorReply(stanza, { type: "cancel", condition: "not-acceptable" });
        say(who, stanza);
        return undefined;
      }
      if (stanza.attrs.type === "unavailable") return void (who && leave(who));
      return join(stanza);
    },
    /** Somebody of XMPP comes in, under that nick. */
    enter: (from: string, nick: string): void => void join(xml("presence", { from, to: `${jid}/${nick}` })),
    exit(nick: string, statuses: string[] = [], children: Element[] = []): void {
      const who = occupants.get(nick);
      if (who) leave(who, statuses, children);
    },
    rename(nick: string, next: string): void {
      const who = occupants.get(nick);
      if (!who) return;
      tell((to) => presence(to, { ...who }, ["303"], { type: "unavailable", item: { nick: next } }));
      occupants.delete(nick);
      occupants.set(next, { ...who, nick: next });
      tell((to) => presence(to, { ...who, nick: next }, []));
    },
    say: (nick: string, body: string, id: string = randomUUID(), more: Element[] = []): void => {
      const who = occupants.get(nick);
      if (who) say(who, xml("message", { id }, xml("body", {}, body), ...more));
    },
    /** The room is no more. */
    destroy(attrs: Record<string, string> = {}): void {
      for (const who of [...occupants.values()]) {
        const x = xml(
          "x",
          { xmlns: `${muc}#user` },
          xml("item", { affiliation: "none", role: "none" }),
          xml("destroy", attrs),
          xml("status", { code: "110" }),
        );
        hand(xml("presence", { from: `${jid}/${who.nick}`, to: who.jid, type: "unavailable" }, x));
      }
      occupants.clear();
    },
    /** As a crash does: nobody is in any more, and nobody is told. */
    crash: (): void => occupants.clear(),
  };
}
