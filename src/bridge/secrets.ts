/** Keeps the secrets of commands in memory only, while what is left of their messages waits on disk. */
import { LRUCache } from "lru-cache";
import { afterPrefix } from "../commands/chat.ts";
import { type Content, isObject, type MatrixEvent, readString } from "../matrix/event.ts";
import type { RoomId } from "../matrix/ids.ts";
import { type Element, readText, xml } from "../xmpp/stanza.ts";

export interface SecretsDeps {
  component: string;
  /** Puts a mark in the place of a secret; a text without one stays as it is. */
  filter: (text: string) => string;
  isBridged(roomId: RoomId): Promise<boolean>;
  isBotRoom(roomId: RoomId): Promise<boolean>;
  /** Where another process does what the bot is told: it is given the event. Undefined where that is this one. */
  passOn(event: MatrixEvent): Promise<void> | undefined;
}

export interface Secrets {
  /** @returns the event as it may be stored. */
  hideInEvent(event: MatrixEvent): Promise<MatrixEvent>;
  /** An event of which another process has hidden something. */
  keep(event: MatrixEvent): void;
  /** @returns the message as it may be stored. */
  hideInMessage(message: Element, cause: string): Element;
  /** What came in, where something was hidden of it and the bridge has not been restarted since. */
  eventOf(cause: string): MatrixEvent | undefined;
  messageOf(cause: string): Element | undefined;
  /** The job is done. */
  forget(cause: string): void;
}

/** Long enough for an outage, short enough for a secret. */
const keptMs = 60 * 60 * 1000;

export function createSecrets({ component, filter, isBridged, isBotRoom, passOn }: SecretsDeps): Secrets {
  const bounds = { max: 1000, ttl: keptMs };
  const events = new LRUCache<string, MatrixEvent>(bounds);
  const messages = new LRUCache<string, Element>(bounds);

  /** The parts of a content that a command or its edit is read from, without the rest, which may repeat them. */
  const reduced = (content: Content): Content => {
    const { "m.relates_to": relation, "m.new_content": anew } = content;
    return {
      msgtype: readString(content, "msgtype"),
      body: filter(readString(content, "body") ?? ""),
      ...(isObject(relation) && { "m.relates_to": { rel_type: readString(relation, "rel_type") } }),
      ...(isObject(anew) && { "m.new_content": { body: filter(readString(anew, "body") ?? "") } }),
    };
  };

  const keep = (event: MatrixEvent): void => void events.set(event.event_id, event);

  return {
    keep,
    async hideInEvent(event) {
      if (event.type !== "m.room.message") return event;
      const { "m.new_content": anew } = event.content;
      const body = readString(event.content, "body") ?? "";
      const texts = [body, (isObject(anew) && readString(anew, "body")) || ""];
      if (texts.every((text) => filter(text) === text)) return event;
      // What people say to each other is no command, whatever it sounds like.
      const isForBot = afterPrefix(body) !== undefined && (await isBotRoom(event.room_id));
      if (!isForBot && (await isBridged(event.room_id))) return event;
      await (passOn(event) ?? keep(event));
      return { ...event, content: reduced(event.content) };
    },

    hideInMessage(message, cause) {
      const { type, from, to, id } = message.attrs;
      const body = readText(message, "body") ?? "";
      // What is said in a room of XMPP is in its archive already.
      if (type === "groupchat" || to.split("/", 1)[0] !== component || filter(body) === body) return message;
      messages.set(cause, message);
      const attrs = { from, to, ...(type && { type }), ...(id && { id }) };
      return xml("message", attrs, xml("body", {}, filter(body)));
    },

    eventOf: (cause) => events.get(cause),
    messageOf: (cause) => messages.get(cause),
    forget(cause) {
      events.delete(cause);
      messages.delete(cause);
    },
  };
}
