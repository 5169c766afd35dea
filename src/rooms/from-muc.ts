/** One groupchat message of a linked MUC: whose it is, whether it is new, and what it becomes on Matrix. */
import { LRUCache } from "lru-cache";
import type { Speaker } from "../bridge/conversation.ts";
import type { Attempt, FromXmpp } from "../bridge/from-xmpp.ts";
import type { MessageParts } from "../bridge/message-parts.ts";
import { encryptionCause } from "../bridge/tell.ts";
import { isShutOut } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { isAllFallback } from "../mapping/bodies.ts";
import { readModeration } from "../mapping/moderation.ts";
import { referencesOfStanza, stanzaIdOf } from "../mapping/references.ts";
import { type Unbridged, unbridgedIn } from "../mapping/unbridged.ts";
import { passedByStanza } from "../mapping/via.ts";
import { type EventId, parseEventId, type UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import type { StoredMessage } from "../store/message-records.ts";
import type { RoomLink } from "../store/room-records.ts";
import type { Store } from "../store/store.ts";
import { isDelayed, sentAtOf } from "../xmpp/delay.ts";
import { type BareJid, type Jid, resourceOf } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, readText } from "../xmpp/stanza.ts";
import type { LinkedConversations } from "./conversations.ts";
import type { Links } from "./links.ts";
import type { Reflections } from "./reflections.ts";

export interface FromMucDeps {
  addresses: Addresses;
  permissions: Config["permissions"];
  links: Pick<Links, "setArchiveId">;
  store: Pick<Store, "messages">;
  conversations: LinkedConversations;
  reflections: Reflections;
  puppets: {
    userOfNick(muc: BareJid, nick: string): UserId | undefined;
    userOfOccupantId(muc: BareJid, occupantId: string): UserId | undefined;
  };
  /** Whose message it is; their ghost is in the Matrix room afterwards. */
  occupants: { speakerOf(link: RoomLink, stanza: Element): Promise<Speaker> };
  /** A message with a subject and no body. */
  onSubject(link: RoomLink, message: Element, attempt: Attempt): Promise<void>;
  messages: Pick<MessageParts, "toMatrix" | "changes">;
  sendOnce: FromXmpp["sendOnce"];
  /** Unix time in milliseconds. */
  now: () => number;
  log: Log;
}

/** The event that a stanza of the bridge's is about, by the stanza's ID. */
export const eventIdIn = (id: unknown): EventId | undefined =>
  parseEventId(/^(?:caption-|part-\d+-)?(\$.+)$/.exec(String(id))?.[1] ?? "");

/** What tells the same message again, live or from an archive, so that the same becomes of it. */
const causeOf = ({ muc }: RoomLink, stanzaId: string | undefined, attempt: Attempt): Attempt =>
  stanzaId === undefined ? attempt : { ...attempt, cause: `${muc} ${stanzaId}` };

export function createFromMuc(deps: FromMucDeps) {
  const { addresses, permissions, links, store, conversations, reflections, puppets, occupants } = deps;
  const { sendOnce, now, log } = deps;
  const { toMatrix, changes } = deps.messages;
  /** What has been dealt with lately, as changes of other messages are noted nowhere. */
  const dealtWith = new LRUCache<string, true>({ max: 10_000 });

  /** What the bridge itself has said comes back, which tells that it arrived and what the room calls it. */
  const isOwn = async (link: RoomLink, message: Element, stanzaId?: string): Promise<boolean> => {
    const { roomId, muc } = link;
    const { from, id } = message.attrs;
    const eventId = eventIdIn(id);
    const named = puppets.userOfNick(muc, resourceOf(from as Jid) ?? "");
    const occupantId: unknown = readChild(message, NS.occupantId, "occupant-id")?.attrs.id;
    const sure = occupantId ? puppets.userOfOccupantId(muc, String(occupantId)) : undefined;
    // Somebody else can have the nick while one of ours is about to ask for it, or has lost it.
    const isOther = occupantId && !sure && !eventId && named !== addresses.botUserId;
    const speaker = sure ?? (isOther ? undefined : named);
    const known = eventId ? await store.messages.ofEvent(roomId, eventId) : [];
    const said = known.find(({ messageId, origin }) => messageId === id && origin === "matrix");
    if (speaker === undefined) {
      // Another bridge of the same two rooms, or a nick that was changed since.
      if (said) log.info("left out: this event is in the room already", { muc, event: eventId });
      return said !== undefined;
    }
    const isReflection = said && speaker === conversations.voiceOf(link, said.userId);
    if (isReflection && stanzaId !== undefined)
      await store.messages.setStanzaId(roomId, said.eventId, said.part, { id: stanzaId, by: muc });
    reflections.note(muc, String(id));
    // Before the bridge came, another may have had the nick.
    return sure !== undefined || eventId !== undefined || !isDelayed(message);
  };

  /** The events that are the message already, one for each part. */
  const known = async (
    { roomId, muc }: RoomLink,
    message: Element,
    { jid }: Speaker,
    stanzaId: string | undefined,
  ): Promise<StoredMessage[]> => {
    if (stanzaId !== undefined) return store.messages.ofStanzaId(roomId, muc, stanzaId);
    const { id } = message.attrs;
    // Only of old ones: clients that count begin again at 1.
    return isDelayed(message) && typeof id === "string" ? store.messages.ofMessageId(roomId, jid, id) : [];
  };

  /** @returns whether the message was nothing but a change of earlier ones, and has been dealt with. */
  const isChange = async (
    link: RoomLink,
    message: Element,
    speaker: Speaker,
    { cause }: Attempt,
  ): Promise<boolean> => {
    const { reactsTo, retracts } = referencesOfStanza(message);
    const conversation = conversations.of(link);
    if (retracts) {
      const isTheirs = await changes.retract(conversation, speaker, retracts, cause);
      if (!isTheirs) log.info("left out: it retracts what its sender has not written here", { cause });
      return true;
    }
    if (!reactsTo) return false;
    const isDone = await changes.react(message, conversation, speaker, reactsTo, cause);
    if (!isDone) log.info("left out: nobody knows what it reacts to", { cause });
    return !readText(message, "body") || isAllFallback(message, NS.reactions);
  };

  /** Nobody on XMPP gets an error for what is said to a whole room. */
  const tellUnbridged = async (
    { roomId }: RoomLink,
    { kind, notice }: Unbridged,
    { nick, jid }: Speaker,
    attempt: Attempt,
  ): Promise<void> => {
    const body = `${nick ?? jid} ${notice.split(";")[0]}.`;
    const cause = kind === "encrypted" ? `${encryptionCause(roomId)}/xmpp` : attempt.cause;
    const once = { cause, mayRepeat: attempt.mayRepeat || kind === "encrypted" };
    await sendOnce({ roomId, ghost: addresses.botUserId }, { msgtype: "m.notice", body }, once);
  };

  const deliver = async (
    link: RoomLink,
    message: Element,
    speaker: Speaker,
    attempt: Attempt,
    there: readonly StoredMessage[],
  ): Promise<void> => {
    const { roomId } = link;
    const { ghost } = speaker;
    const conversation = conversations.of(link);
    const { parts, surplus, whyNone, note } = await toMatrix(message, conversation, speaker);
    if (parts.length === 0) return log.info(`left out: ${whyNone}`, { cause: attempt.cause });
    const sentAt = sentAtOf(message, attempt.acceptedAt, now());
    try {
      for (const [part, content] of parts.entries()) {
        if (there.some((one) => one.part === part)) continue;
        const eventId = await sendOnce({ roomId, ghost }, content, attempt, { part, sentAt });
        await note(roomId, eventId, part);
      }
    } catch (error) {
      if (!(error instanceof MatrixError && error.status === 403)) throw error;
      // Whoever moderates the Matrix room does not let them speak, and the MUC is not to hear of it.
      return log.warn("left out: the Matrix room does not take it", { cause: attempt.cause, ghost, error });
    }
    await changes.remove(conversation, speaker, surplus, attempt.cause);
  };

  const fromOccupant = async (
    link: RoomLink,
    message: Element,
    attempt: Attempt,
    stanzaId: string | undefined,
  ): Promise<void> => {
    const { cause, mayRepeat } = attempt;
    if (await isOwn(link, message, stanzaId)) return;
    if (passedByStanza(message).includes(link.roomId))
      return log.info("left out: it has been in this room before", { cause, muc: link.muc });
    const speaker = await occupants.speakerOf(link, message);
    if (isShutOut(permissions, speaker.jid))
      return log.info("left out: its sender may not use this bridge", { cause });
    const there = await known(link, message, speaker, stanzaId);
    if (!mayRepeat && there.length > 0)
      return log.info("left out: it was here before", { cause, muc: link.muc, stanzaId });
    const unbridged = unbridgedIn(message);
    if (unbridged) return tellUnbridged(link, unbridged, speaker, attempt);
    if (await isChange(link, message, speaker, attempt)) return;
    await deliver(link, message, speaker, causeOf(link, stanzaId, attempt), there);
  };

  const moderate = async (
    link: RoomLink,
    what: { id: string; reason?: string },
    attempt: Attempt,
  ): Promise<void> => {
    const { botUserId } = addresses;
    const outcome = await changes.moderate(conversations.of(link), botUserId, what, attempt.cause);
    if (outcome !== "forbidden") return;
    const [message] = await store.messages.ofStanzaId(link.roomId, link.muc, what.id);
    const words = `This was removed in ${link.muc}. Here it stays: ${botUserId} may not remove what others write.`;
    const about = message && { "m.relates_to": { "m.in_reply_to": { event_id: message.eventId } } };
    const content = { msgtype: "m.notice", body: words, ...about };
    await sendOnce({ roomId: link.roomId, ghost: botUserId }, content, attempt);
  };

  const dispatch = async (
    link: RoomLink,
    message: Element,
    attempt: Attempt,
    stanzaId: string | undefined,
  ): Promise<void> => {
    const moderation = readModeration(message);
    if (moderation === "nothing") return;
    if (moderation) return moderate(link, moderation, attempt);
    if (readText(message, "subject") !== undefined && !readText(message, "body"))
      return deps.onSubject(link, message, attempt);
    if (resourceOf(message.attrs.from as Jid) === undefined)
      return log.debug("left out: the room itself says it", { cause: attempt.cause, muc: link.muc });
    await fromOccupant(link, message, attempt, stanzaId);
  };

  /**
   * Of what the MUC gives out, the bot's own copy, and what its archive has kept: the latter with the archive's ID as
   * `<stanza-id/>`.
   */
  return async (link: RoomLink, message: Element, attempt: Attempt): Promise<void> => {
    const { muc } = link;
    const stanzaId = stanzaIdOf(message, muc);
    const key = `${muc} ${stanzaId}`;
    if (stanzaId === undefined || !dealtWith.has(key)) await dispatch(link, message, attempt, stanzaId);
    if (stanzaId === undefined) return;
    dealtWith.set(key, true);
    await links.setArchiveId(muc, stanzaId);
  };
}
