/** Private messages between an occupant of a linked MUC and one Matrix user: a direct conversation, by the MUC's addresses. */
import type { Speaker } from "../bridge/conversation.ts";
import { UndeliverableError } from "../bridge/failure.ts";
import type { Attempt, FromXmpp } from "../bridge/from-xmpp.ts";
import type { Addresses } from "../mapping/addresses.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { RoomLink } from "../store/room-records.ts";
import type { Store } from "../store/store.ts";
import { bareOf, type FullJid, fullJid, type Jid, resourceOf } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/stanza.ts";
import type { Links } from "./links.ts";

export interface PrivateMessagesDeps {
  addresses: Pick<Addresses, "userOfJid">;
  links: Pick<Links, "ofMuc">;
  store: Pick<Store, "occupants">;
  puppets: { ensure(link: RoomLink, userId: UserId): Promise<FullJid> };
  occupants: { speakerOf(link: RoomLink, stanza: Element): Promise<Speaker> };
  matters: FromXmpp["matters"];
  converse: FromXmpp["converse"];
  log: Log;
}

export interface PrivateMessages {
  /** A message from `room/nick` to a puppet. */
  onStanza(link: RoomLink, message: Element, attempt: Attempt): Promise<void>;
  /** What a puppet has written to an occupant comes back. @returns false where it is about something else. */
  onError(link: RoomLink, message: Element, attempt: Attempt): Promise<boolean>;
  /**
   * From where to where a Matrix user's message to an occupant goes now.
   * @param occupant `room/key`.
   * @throws UndeliverableError where it can go nowhere.
   */
  wayToOccupant(userId: UserId, occupant: FullJid): Promise<{ from: Jid; to: Jid }>;
}

export function createPrivateMessages(deps: PrivateMessagesDeps): PrivateMessages {
  const { addresses, links, store, puppets, occupants, converse, log } = deps;
  const addressee = (message: Element): UserId | undefined =>
    addresses.userOfJid(bareOf(message.attrs.to as Jid));

  return {
    async onStanza(link, message, attempt) {
      const userId = addressee(message);
      if (!userId || !deps.matters(message))
        return log.debug("left out: it says nothing to a Matrix user", { cause: attempt.cause });
      const { jid } = await occupants.speakerOf(link, message);
      await converse(message, userId, jid, attempt);
    },

    async onError(link, message, attempt) {
      const nick = resourceOf(message.attrs.from as Jid);
      const occupant = nick === undefined ? undefined : await store.occupants.ofNick(link.muc, nick);
      const userId = addressee(message);
      if (!occupant || !userId) return false;
      await converse(message, userId, occupant.jid, attempt);
      return true;
    },

    async wayToOccupant(userId, occupant) {
      const link = links.ofMuc(bareOf(occupant));
      if (!link) {
        const words = `The bridge is no longer in ${bareOf(occupant)}, by which this conversation goes.`;
        throw new UndeliverableError("cancel", "item-not-found", words);
      }
      if (link.mode === "relay") {
        const words = `In ${link.muc} the bridge speaks for all, so nobody there can be written to in private.`;
        throw new UndeliverableError("cancel", "not-allowed", words);
      }
      const there = await store.occupants.ofKey(link.muc, resourceOf(occupant));
      if (!there?.isIn) {
        const words = `${there?.nick ?? "The other person"} is not in ${link.muc} now. Try again when they are back.`;
        throw new UndeliverableError("wait", "recipient-unavailable", words);
      }
      return { from: await puppets.ensure(link, userId), to: fullJid(link.muc, there.nick) };
    },
  };
}
