/** Moderators of a hosted room remove what others have said: XEP-0425 0.3.0, as redactions on Matrix. */
import { eventOfArchiveId } from "../mapping/hosted-archive.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { IqRefusal } from "../xmpp/iq-answer.ts";
import { NS } from "../xmpp/namespaces.ts";
import { readChild, xmlSafe } from "../xmpp/stanza.ts";
import { type RoomAnswers, stateFor } from "./question.ts";

export interface ModerationDeps {
  matrix: Pick<MatrixClient, "event" | "redact">;
  txnId(cause: string, part: string): string;
}

export const moderationAnswers = ({ matrix, txnId }: ModerationDeps): RoomAnswers => ({
  [`set ${NS.moderate} moderate`]: async (question) => {
    const { payload, room, ghost } = question;
    const state = await stateFor(question);
    const eventId = eventOfArchiveId(String(payload.attrs.id));
    if (!readChild(payload, NS.retract, "retract")) {
      throw new IqRefusal("cancel", "feature-not-implemented", "Messages can be retracted, nothing else.");
    }
    if (!state.may(ghost, "redact")) {
      throw new IqRefusal("auth", "forbidden", "Only moderators may remove what others have said.");
    }
    const event = eventId && (await matrix.event(ghost, room.roomId, eventId));
    if (!eventId || !event || event.state_key !== undefined) {
      throw new IqRefusal("cancel", "item-not-found", "There is no such message in this room.");
    }
    const reason = payload.getChildText("reason")?.trim();
    await matrix.redact(
      ghost,
      room.roomId,
      eventId,
      txnId(eventId, ghost),
      reason ? xmlSafe(reason) : undefined,
    );
    return undefined;
  },
});
