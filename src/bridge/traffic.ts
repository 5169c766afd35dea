/** What rooms of either kind, linked or hosted, take of what comes in. */
import type { MatrixEvent } from "../matrix/event.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { Element } from "../xmpp/stanza.ts";
import type { Attempt } from "./from-xmpp.ts";

export interface Traffic {
  /** Whether the message or presence is theirs to deal with. */
  concerns(stanza: Element): boolean;
  /** In which lane it waits; undefined where it is nothing to keep. */
  laneOf(stanza: Element): string | undefined;
  /** Whether a message may be refused while too much waits: not what a MUC says, which would not say it again. */
  mayRefuse(message: Element): boolean;
  onStanza(stanza: Element, attempt: Attempt): Promise<void>;
  /** Whether events of the room are theirs to deal with. */
  hasRoom(roomId: RoomId): boolean;
  /** Whether an event of such a room is worth storing. */
  takes(event: MatrixEvent): boolean;
  /** Whether what is written for the bot is seen by all the same. */
  showsCommands: boolean;
  onEvent(event: MatrixEvent, mayRepeat: boolean): Promise<void>;
  /** As whom the room can be read; undefined where it is none of theirs. */
  readerOf(roomId: RoomId): UserId | undefined;
}
