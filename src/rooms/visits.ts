/** The bot in rooms of XMPP services that are not linked, or not yet: to be heard there, and to see who has what rank. */
import { UndeliverableError } from "../bridge/failure.ts";
import { joinRefusalOf } from "../mapping/join-errors.ts";
import { type OccupantPresence, readOccupantPresence } from "../mapping/muc-presence.ts";
import type { Log } from "../ops/log.ts";
import type { Affiliation } from "../xmpp/affiliation.ts";
import { StanzaRefusedError, type XmppClient } from "../xmpp/client.ts";
import { type BareJid, bareOf, type FullJid, type Jid, resourceOf } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readError, xml } from "../xmpp/stanza.ts";

export interface VisitsDeps {
  /** The bot in every room. */
  botJid: FullJid;
  nick: string;
  xmpp: Pick<XmppClient, "send">;
  log: Log;
  /** How long a room may take to let the bot in. */
  patienceMs?: number;
}

export interface Visitor {
  nick: string;
  affiliation: Affiliation;
  /** Where the room shows it to the bot. */
  realJid: BareJid | undefined;
}

export interface Visits {
  isVisited(muc: BareJid): boolean;
  /** Joins where the bot is not in. @throws UndeliverableError where the room lets it not in, with what to do. */
  enter(muc: BareJid, password?: string): Promise<void>;
  occupants(muc: BareJid): Visitor[];
  say(muc: BareJid, body: string, id: string): Promise<void>;
  leave(muc: BareJid): Promise<void>;
  /** The room is linked now, and the bot stays. */
  handOver(muc: BareJid): void;
  /** Presence from a room that is visited. */
  hear(stanza: Element): void;
  /** Prosody was restarted: the bot is in no room any more. */
  lost(): void;
}

interface Visit {
  nick: string;
  occupants: Map<string, Visitor>;
  isIn: boolean;
  settle?: { resolve(): void; reject(error: unknown): void };
}

export function createVisits({ botJid, nick, xmpp, log, patienceMs = 20_000 }: VisitsDeps): Visits {
  const visits = new Map<BareJid, Visit>();
  const component = bareOf(botJid);

  const presence = (to: string, type?: "unavailable", ...children: Element[]): Element =>
    xml("presence", { from: botJid, to, ...(type && { type }) }, ...children);

  const ask = async (muc: BareJid, visit: Visit, password: string | undefined): Promise<void> => {
    const wish = xml(
      "x",
      { xmlns: NS.muc },
      xml("history", { maxstanzas: "0" }),
      ...(password === undefined ? [] : [xml("password", {}, password)]),
    );
    let timer: NodeJS.Timeout | undefined;
    const answered = new Promise<void>((resolve, reject) => {
      visit.settle = { resolve, reject };
      timer = setTimeout(() => reject(new Error(`${muc} does not answer`)), patienceMs);
    });
    try {
      // A refusal by a room of this Prosody comes at once, one by another server as a stanza.
      await Promise.all([xmpp.send(presence(`${muc}/${visit.nick}`, undefined, wish)), answered]);
    } finally {
      clearTimeout(timer);
      delete visit.settle;
      answered.catch(() => undefined);
    }
  };

  const join = async (muc: BareJid, password: string | undefined): Promise<void> => {
    const visit: Visit = { nick, occupants: new Map(), isIn: false };
    visits.set(muc, visit);
    for (const candidate of [nick, `${nick} (bridge)`, `${nick} (${component})`]) {
      visit.nick = candidate;
      try {
        await ask(muc, visit, password);
        visit.isIn = true;
        return;
      } catch (error) {
        const refusal =
          error instanceof StanzaRefusedError ? joinRefusalOf(error.error, muc, component) : undefined;
        if (refusal?.kind === "nick") continue;
        visits.delete(muc);
        if (refusal?.kind !== "lasting") throw error;
        const { type, condition, sentence } = refusal.failure;
        throw new UndeliverableError(type, condition, sentence);
      }
    }
    visits.delete(muc);
    throw new UndeliverableError("cancel", "conflict", `Somebody in ${muc} has the name of the bot.`);
  };

  const note = (visit: Visit, seen: OccupantPresence): void => {
    const { nick, isUnavailable, affiliation, realJid, newNick } = seen;
    if (!seen.statuses.has(110) && nick !== visit.nick) {
      if (isUnavailable) visit.occupants.delete(nick);
      else visit.occupants.set(nick, { nick, affiliation, realJid: realJid && bareOf(realJid) });
      return;
    }
    if (!isUnavailable) visit.settle?.resolve();
    else if (newNick) visit.nick = newNick;
    else visits.delete(seen.room);
  };

  return {
    isVisited: (muc) => visits.has(muc),

    async enter(muc, password) {
      if (visits.get(muc)?.isIn) return;
      await join(muc, password);
      log.info("the bot visits a room", { muc });
    },

    occupants: (muc) => [...(visits.get(muc)?.occupants.values() ?? [])],

    async say(muc, body, id) {
      const origin = xml("origin-id", { xmlns: NS.stableId, id });
      await xmpp.send(
        xml("message", { type: "groupchat", from: botJid, to: muc, id }, xml("body", {}, body), origin),
      );
    },

    async leave(muc) {
      const visit = visits.get(muc);
      if (!visit) return;
      visits.delete(muc);
      await xmpp.send(presence(`${muc}/${visit.nick}`, "unavailable"));
      log.info("the bot has left a room that it visited", { muc });
    },

    handOver(muc) {
      visits.delete(muc);
    },

    hear(stanza) {
      const from = stanza.attrs.from as Jid;
      const visit = visits.get(bareOf(from));
      if (!visit || stanza.name !== "presence") return;
      const seen = readOccupantPresence(stanza);
      if (seen) note(visit, seen);
      // Errors for something else than the join name another occupant, or nobody.
      else if (stanza.attrs.type === "error" && resourceOf(from) === visit.nick)
        visit.settle?.reject(new StanzaRefusedError(readError(stanza)));
    },

    lost() {
      for (const visit of visits.values()) {
        visit.isIn = false;
        visit.settle?.reject(new Error("Prosody was restarted"));
      }
    },
  };
}
