/** Messages of linked rooms in both directions, and those between two people in them, put together. */
import type { Attempt } from "../bridge/from-xmpp.ts";
import type { MessageParts } from "../bridge/message-parts.ts";
import type { MatrixEvent } from "../matrix/event.ts";
import type { RoomLink } from "../store/room-records.ts";
import { type Jid, resourceOf } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/stanza.ts";
import { createLinkedConversations, type LinkedConversationsDeps } from "./conversations.ts";
import { createFromMuc, type FromMucDeps } from "./from-muc.ts";
import { createPrivateMessages, type PrivateMessages, type PrivateMessagesDeps } from "./private-messages.ts";
import { createReflections } from "./reflections.ts";
import { createToMuc, type ToMucDeps } from "./to-muc.ts";

type Made = "conversations" | "reflections";
export type RoomMessagesDeps = Omit<FromMucDeps, Made> &
  Omit<ToMucDeps, Made> &
  PrivateMessagesDeps &
  LinkedConversationsDeps & {
    messages: MessageParts;
    /** How long the MUC may take to give a message back. */
    reflectsWithinMs?: number;
  };

export interface RoomMessages extends Pick<PrivateMessages, "wayToOccupant"> {
  /** A groupchat message as the bot hears it, the subject and what moderators do included; or one from the archive. */
  onStanza(link: RoomLink, message: Element, attempt: Attempt): Promise<void>;
  /** A message from an occupant to one puppet. */
  onPrivate(link: RoomLink, message: Element, attempt: Attempt): Promise<void>;
  /** A message of type error, to a puppet or the bot. */
  onError(link: RoomLink, message: Element, attempt: Attempt): Promise<void>;
  /** Any event that is no state. */
  onEvent(link: RoomLink, event: MatrixEvent, mayRepeat: boolean): Promise<void>;
}

export function createRoomMessages(deps: RoomMessagesDeps): RoomMessages {
  const made = {
    conversations: createLinkedConversations(deps),
    reflections: createReflections(deps.reflectsWithinMs),
  };
  const toMuc = createToMuc({ ...deps, ...made });
  const privateMessages = createPrivateMessages(deps);

  return {
    onStanza: createFromMuc({ ...deps, ...made }),
    onPrivate: privateMessages.onStanza,
    onEvent: toMuc.onEvent,
    wayToOccupant: privateMessages.wayToOccupant,
    async onError(link, message, attempt) {
      const nick = resourceOf(message.attrs.from as Jid);
      const isOwn = nick === undefined || deps.puppets.userOfNick(link.muc, nick) !== undefined;
      if (isOwn || !(await privateMessages.onError(link, message, attempt)))
        await toMuc.onError(link, message, attempt);
    },
  };
}
