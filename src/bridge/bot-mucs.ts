/** Commands that occupants give in rooms of XMPP, linked ones and those that the bot visits: in the room, or to the bot alone. */
import { afterPrefix, withoutQuotation } from "../commands/chat.ts";
import type { Caller } from "../commands/command.ts";
import type { Commands } from "../commands/commands.ts";
import { isShutOut, type Permissions } from "../config/permissions.ts";
import type { RateLimit } from "../http/rate-limit.ts";
import type { Log } from "../ops/log.ts";
import type { Linked } from "../rooms/link-checks.ts";
import type { Visits } from "../rooms/visits.ts";
import type { Occupants, Puppets } from "../store/room-records.ts";
import { StanzaRefusedError, type XmppClient } from "../xmpp/client.ts";
import { isDelayed } from "../xmpp/delay.ts";
import { type BareJid, bareOf, type FullJid, type Jid, resourceOf } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, readText, xml } from "../xmpp/stanza.ts";
import type { Traffic } from "./traffic.ts";

export interface MucCommandsDeps {
  botJid: FullJid;
  permissions: Permissions;
  commands: Commands;
  linked: Linked;
  /** Whether a room is linked, or is just being linked. */
  isMuc(jid: BareJid): boolean;
  visits: Visits;
  onAnswered(muc: BareJid): Promise<void>;
  occupants: Pick<Occupants, "ofNick">;
  puppets: Pick<Puppets, "ofMuc">;
  /** How much one person is answered. */
  limit: RateLimit;
  xmpp: Pick<XmppClient, "send">;
  txnId(cause: string, part: string): string;
  log: Log;
}

export function createMucCommands(deps: MucCommandsDeps): Traffic {
  const { botJid, permissions, commands, linked, visits, limit, xmpp, txnId, log } = deps;

  const mucOf = ({ attrs }: Element): BareJid | undefined => {
    const muc = bareOf(attrs.from as Jid);
    return attrs.to === botJid && (visits.isVisited(muc) || deps.isMuc(muc)) ? muc : undefined;
  };

  /** What the message tells the bot to do. What was said before it came in is nothing that anybody waits for. */
  const lineIn = (message: Element): string | undefined => {
    const { type, from } = message.attrs;
    const body = withoutQuotation(readText(message, "body") ?? "");
    if (
      message.name !== "message" ||
      !resourceOf(from) ||
      isDelayed(message) ||
      readChild(message, NS.correct)
    )
      return undefined;
    if (type === "groupchat") return afterPrefix(body);
    return type === "chat" && body.trim() !== "" ? (afterPrefix(body) ?? body) : undefined;
  };

  const callerOf = async (muc: BareJid, from: FullJid): Promise<Caller | undefined> => {
    const nick = resourceOf(from) ?? "";
    // What occupants of ours say is said on Matrix.
    if ((await deps.puppets.ofMuc(muc)).some((puppet) => puppet.nick === nick)) return undefined;
    const known = linked.ofMuc(muc) && (await deps.occupants.ofNick(muc, nick));
    const visitor = visits.occupants(muc).find((one) => one.nick === nick);
    const shownAs: Jid = known && bareOf(known.jid) !== muc ? known.jid : from;
    const isBlocked = [shownAs, visitor?.realJid].some((jid) => jid && isShutOut(permissions, jid));
    if (isBlocked) return undefined;
    const roomId = linked.ofMuc(muc)?.roomId;
    const affiliation = (known?.isIn ? known : visitor)?.affiliation ?? "none";
    return {
      network: "xmpp",
      jid: from,
      // Who is behind an occupant only the room's service says, which may be anybody's.
      level: "user",
      place: { muc, ...(roomId && { roomId }) },
      occupant: { nick, affiliation },
    };
  };

  const answer = async (to: Jid, type: string, text: string, cause: string): Promise<void> => {
    const id = txnId(cause, "answer");
    const children = [xml("body", {}, text), xml("origin-id", { xmlns: NS.stableId, id })];
    if (type === "chat") children.push(xml("x", { xmlns: NS.mucUser }));
    try {
      await xmpp.send(xml("message", { type, from: botJid, to, id }, ...children));
      log.info("the bot has answered in an XMPP room", { cause, to });
    } catch (error) {
      // The command may have been to leave it.
      if (!(error instanceof StanzaRefusedError)) throw error;
      log.info("the bot may not answer in this XMPP room", { cause, to, error });
    }
  };

  return {
    concerns(stanza) {
      const muc = mucOf(stanza);
      if (!muc) return false;
      return !deps.isMuc(muc) || lineIn(stanza) !== undefined;
    },

    laneOf(stanza) {
      visits.hear(stanza);
      // Not that of the room itself, which has to go on while a command waits for what comes from it.
      return lineIn(stanza) === undefined ? undefined : `commands ${bareOf(stanza.attrs.from as Jid)}`;
    },

    async onStanza(message, { cause }) {
      const { from, type } = message.attrs;
      const [muc, line] = [bareOf(from as Jid), lineIn(message)];
      const caller = line === undefined ? undefined : await callerOf(muc, from as FullJid);
      if (line === undefined || !caller) return;
      if ((await limit.take(from)) !== undefined) {
        log.warn("left out: too many commands of one person", { cause, from });
        return;
      }
      const isPrivate = type === "chat";
      const { text } = await commands.runLine(caller, line, isPrivate);
      await answer(isPrivate ? from : muc, type, isPrivate ? text : `${resourceOf(from)}: ${text}`, cause);
      await deps.onAnswered(muc);
    },

    hasRoom: () => false,
    takes: () => false,
    showsCommands: false,
    mayRefuse: () => false,
    async onEvent() {},
    readerOf: () => undefined,
  };
}
