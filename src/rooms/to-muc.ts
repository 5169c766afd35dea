/** One event of a linked room: who says it in the MUC, what they say, and that it arrives once. */
import { LRUCache } from "lru-cache";
import type { Crossing } from "../bridge/crossing.ts";
import { UndeliverableError } from "../bridge/failure.ts";
import type { Attempt, FromXmpp } from "../bridge/from-xmpp.ts";
import type { MessageParts } from "../bridge/message-parts.ts";
import { notDelivered } from "../bridge/tell.ts";
import { levelOf } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { failureOfStanzaError } from "../mapping/errors.ts";
import { moderationRequest } from "../mapping/moderation.ts";
import { retractions } from "../mapping/redactions.ts";
import { referencesOfEvent } from "../mapping/references.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { type MatrixEvent, readString } from "../matrix/event.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { RoomLink } from "../store/room-records.ts";
import type { Store } from "../store/store.ts";
import { StanzaRefusedError, type XmppClient } from "../xmpp/client.ts";
import { type BareJid, bareOf, type FullJid, fullJid, type Jid } from "../xmpp/jid.ts";
import type { IqRequests } from "../xmpp/requests.ts";
import { type Element, readError, type StanzaError } from "../xmpp/stanza.ts";
import type { LinkedConversations } from "./conversations.ts";
import { eventIdIn } from "./from-muc.ts";
import type { Reflections } from "./reflections.ts";

export interface ToMucDeps {
  addresses: Addresses;
  permissions: Config["permissions"];
  config: Pick<Config["rooms"], "relayNotices">;
  /** The bridge's own domain. */
  component: BareJid;
  store: Pick<Store, "messages">;
  conversations: LinkedConversations;
  reflections: Reflections;
  puppets: {
    /** @returns as whom they speak, once they are in. @throws UndeliverableError where they cannot be. */
    ensure(link: RoomLink, userId: UserId): Promise<FullJid>;
    ensureBot(link: RoomLink): Promise<FullJid>;
    /** The MUC has said that they are not in. */
    rejoin(link: RoomLink, userId: UserId): Promise<FullJid>;
    nickOf(muc: BareJid, userId: UserId): string | undefined;
    /** Resolves once all is handled that the MUC has given out while nobody heard it. */
    caughtUp(link: RoomLink): Promise<void>;
  };
  messages: Pick<MessageParts, "toXmpp">;
  matrix: Pick<MatrixClient, "event">;
  xmpp: Pick<XmppClient, "send">;
  requests: Pick<IqRequests, "request">;
  sendOnce: FromXmpp["sendOnce"];
  log: Log;
}

/** The MUC does not know the speaker, who has lost their place there. */
const isOutside = ({ condition }: StanzaError): boolean =>
  condition === "not-acceptable" || condition === "item-not-found";

const noVoice =
  "The XMPP room is moderated and gives you no voice. Ask its moderators for it: !xmpp voice. Then write again.";

const sentenceOf = (error: StanzaError): string =>
  error.condition === "forbidden" ? noVoice : failureOfStanzaError(error).sentence;

export function createToMuc(deps: ToMucDeps) {
  const { addresses, permissions, config, component, store, conversations, reflections, puppets } = deps;
  const { matrix, xmpp, requests, sendOnce, log } = deps;
  const { toXmpp } = deps.messages;
  const { botUserId } = addresses;
  const isBot = (userId: UserId): boolean => userId === botUserId;
  /** Events, and their stanzas, that were sent once more because the first time their sender was not in. */
  const sentAgain = new LRUCache<string, true>({ max: 1000 });

  const ensure = (link: RoomLink, userId: UserId): Promise<FullJid> =>
    isBot(userId) ? puppets.ensureBot(link) : puppets.ensure(link, userId);

  const send = async (link: RoomLink, speaker: UserId, stanza: Element): Promise<void> => {
    reflections.expect(link.muc, String(stanza.attrs.id));
    try {
      await xmpp.send(stanza);
    } catch (error) {
      reflections.note(link.muc, String(stanza.attrs.id));
      if (!(error instanceof StanzaRefusedError)) throw error;
      if (!isOutside(error.error)) {
        if (error.error.condition !== "forbidden") throw error;
        throw new UndeliverableError("auth", "forbidden", noVoice);
      }
      stanza.attrs.from = await puppets.rejoin(link, speaker);
      reflections.expect(link.muc, String(stanza.attrs.id));
      await xmpp.send(stanza);
    }
  };

  /** Of what an earlier attempt may have sent, what has not come back from the MUC. */
  const notThereYet = async (link: RoomLink, { event_id: about }: MatrixEvent, stanzas: Element[]) => {
    const { roomId, muc } = link;
    const parts = () => store.messages.ofEvent(roomId, about);
    // What is noted nowhere, such as a set of reactions, can be said twice.
    if ((await parts()).length === 0) return stanzas;
    const isBack = async () => {
      const back = (await parts()).filter(({ stanzaId }) => stanzaId).map(({ messageId }) => messageId);
      return new Set<unknown>(back);
    };
    await puppets
      .caughtUp(link)
      .catch((error) => log.info("a MUC's archive could not be asked", { muc, error }));
    const early = await isBack();
    const missing = stanzas.map(({ attrs }) => String(attrs.id)).filter((id) => !early.has(id));
    for (const id of missing) reflections.expect(muc, id);
    await reflections.settled(muc, (id) => missing.includes(id));
    const there = await isBack();
    return stanzas.filter(({ attrs }) => !there.has(attrs.id));
  };

  /** @returns whether the MUC has done it. */
  const moderate = async (link: RoomLink, by: UserId, id: string, reason?: string): Promise<boolean> => {
    const from = await ensure(link, by).catch(() => undefined);
    if (!from) return false;
    try {
      await requests.request({ from, to: link.muc, type: "set", payload: moderationRequest(id, reason) });
      return true;
    } catch (error) {
      if (error instanceof StanzaRefusedError) return false;
      throw error;
    }
  };

  /** Removes what another has written: as whoever may, else as its author if that is one of ours. */
  const remove = async (
    link: RoomLink,
    event: MatrixEvent,
    { parts, reason }: Extract<Crossing, { kind: "moderation" }>,
  ): Promise<void> => {
    const ids = parts.flatMap(({ stanzaId }) => stanzaId?.id ?? []);
    const voice = conversations.voiceOf(link, event.sender);
    for (const by of new Set([voice, botUserId])) {
      const done = ids.length > 0 && (await moderate(link, by, ids[0] ?? "", reason));
      if (!done) continue;
      for (const id of ids.slice(1)) await moderate(link, by, id, reason);
      return log.info("removed on XMPP", { cause: event.event_id, muc: link.muc });
    }
    const author = parts[0]?.userId;
    if (author && parts[0]?.origin === "matrix" && puppets.nickOf(link.muc, author) !== undefined) {
      const from = await ensure(link, author);
      const head = { from, to: link.muc, id: event.event_id, type: "groupchat" as const };
      for (const stanza of retractions(head, parts)) await send(link, author, stanza);
      return;
    }
    const words = `Neither you nor the bridge is a moderator of ${link.muc} who can remove it there.`;
    throw new UndeliverableError("auth", "forbidden", words);
  };

  const deliver = async (
    link: RoomLink,
    event: MatrixEvent,
    crossing: Extract<Crossing, { kind: "stanzas" }>,
    mayRepeat: boolean,
  ): Promise<void> => {
    const speaker = conversations.voiceOf(link, event.sender);
    const from = await ensure(link, speaker);
    const stanzas = mayRepeat ? await notThereYet(link, event, crossing.stanzas) : crossing.stanzas;
    for (const stanza of stanzas) {
      stanza.attrs.from = from;
      await send(link, speaker, stanza);
    }
    await crossing.sent?.();
    log.info("delivered to XMPP", { cause: event.event_id, to: link.muc });
  };

  const onEvent = async (link: RoomLink, event: MatrixEvent, mayRepeat: boolean): Promise<void> => {
    const { event_id: cause, sender, type, content, state_key: stateKey } = event;
    if (stateKey !== undefined || isBot(sender) || addresses.isGhost(sender)) return;
    if (levelOf(permissions, sender) === "block")
      throw new UndeliverableError("auth", "forbidden", "You may not use this bridge.", { isRare: true });
    if (!config.relayNotices && readString(content, "msgtype") === "m.notice")
      return log.debug("left out: it is a notice", { cause });
    // What it refers to has to be called as the MUC does.
    const { repliesTo, reactsTo, redacts, thread } = referencesOfEvent(event);
    const about = [repliesTo, reactsTo, redacts, thread].filter((one) => one !== undefined);
    if (about.length > 0)
      await reflections.settled(link.muc, (id) => about.some((one) => one === eventIdIn(id)));
    const voice = conversations.voiceOf(link, sender);
    const expected = isBot(voice)
      ? fullJid(component, "causeway")
      : fullJid(addresses.jidOfUser(voice), "matrix");
    const crossing = await toXmpp(event, conversations.of(link), { from: expected, to: link.muc });
    switch (crossing.kind) {
      case "nothing":
        return log.debug(`left out: ${crossing.why}`, { cause, type });
      case "refused":
        throw new UndeliverableError("cancel", "feature-not-implemented", crossing.sentence, crossing);
      case "moderation":
        return remove(link, event, crossing);
      case "stanzas":
        return deliver(link, event, crossing, mayRepeat);
    }
  };

  /** The MUC, or a server on the way to it, has refused what one of ours has said. */
  const onError = async (link: RoomLink, message: Element, attempt: Attempt): Promise<void> => {
    const { roomId, muc } = link;
    const to = bareOf(message.attrs.to as Jid);
    const [error, about] = [readError(message), eventIdIn(message.attrs.id)];
    log.warn("a MUC refused a message", { cause: attempt.cause, muc, about, ...error });
    const speaker = to === component ? botUserId : addresses.userOfJid(to);
    if (!about || !speaker) return;
    reflections.note(muc, String(message.attrs.id));
    const event = await matrix.event(botUserId, roomId, about);
    if (!event) return;
    const stanza = `${about} ${message.attrs.id}`;
    if (isOutside(error) && !sentAgain.has(stanza)) {
      // The other stanzas of a message go with the first that comes back.
      if (!sentAgain.has(about)) {
        await puppets.rejoin(link, speaker);
        await onEvent(link, event, attempt.mayRepeat);
      }
      for (const one of [about, stanza]) sentAgain.set(one, true);
      return;
    }
    const content = notDelivered(muc, sentenceOf(error), error.text, about);
    await sendOnce({ roomId, ghost: botUserId }, content, attempt);
  };

  return { onEvent, onError };
}
