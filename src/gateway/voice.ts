/** Guests who may not speak ask for it; moderators on both networks hear of it: XEP-0045 1.35 §7.13 and §8.6. */
import type { DirectRooms } from "../bridge/direct-rooms.ts";
import type { Attempt } from "../bridge/from-xmpp.ts";
import type { RoomState } from "../bridge/room-state.ts";
import type { RateLimit } from "../http/rate-limit.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { levelToSpeak, type PowerTable } from "../mapping/affiliations.ts";
import { readVoiceMessage, voiceForm } from "../mapping/voice-requests.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { UserId } from "../matrix/ids.ts";
import type { XmppClient } from "../xmpp/client.ts";
import type { Admin } from "./admin.ts";
import { type Question, stateFor } from "./question.ts";

export interface VoiceDeps {
  addresses: Addresses;
  powerLevels: PowerTable;
  admin: Pick<Admin, "change">;
  directRooms: Pick<DirectRooms, "open">;
  matrix: Pick<MatrixClient, "send">;
  xmpp: Pick<XmppClient, "send">;
  /** How often somebody may ask in one room. */
  limit: RateLimit;
  txnId(cause: string, part: string): string;
}

/** More need not be woken for it. */
const mostModerators = 3;

export function createVoice(deps: VoiceDeps) {
  const { addresses, powerLevels, admin, directRooms, matrix, xmpp, txnId } = deps;

  const moderatorsOn = (state: RoomState): UserId[] =>
    [...state.members]
      .filter(([userId, { membership }]) => {
        const isPerson = !addresses.isGhost(userId) && userId !== addresses.botUserId;
        return membership === "join" && isPerson && state.levelOf(userId) >= powerLevels.moderator;
      })
      .map(([userId]) => userId)
      .sort((a, b) => state.levelOf(b) - state.levelOf(a))
      .slice(0, mostModerators);

  const ask = async (question: Question, nick: string, { cause, mayRepeat }: Attempt): Promise<void> => {
    const { room, ghost, jid, from } = question;
    const state = await stateFor(question);
    if ((await room.rankOf(ghost)).role !== "visitor") return;
    if (!mayRepeat && (await deps.limit.take(`${room.roomId} ${jid}`)) !== undefined) return;
    for (const guest of room.guests()) {
      if ((await room.rankOf(guest.ghost)).role !== "moderator") continue;
      const head = { from: guest.address, to: guest.jid, id: txnId(cause, guest.jid) };
      await xmpp.send(voiceForm(head, { jid: from, nick }));
    }
    const level = levelToSpeak(state.powerLevels);
    const where = `${state.name ?? room.roomId} (https://matrix.to/#/${state.canonicalAlias ?? room.roomId})`;
    const body = `I would like to speak in ${where}. Raise the power level of ${ghost} to ${level} to let me.`;
    for (const moderator of moderatorsOn(state)) {
      const direct = await directRooms.open(moderator, jid);
      const content = { msgtype: "m.notice", body };
      await matrix.send(direct.ghost, direct.roomId, "m.room.message", content, txnId(cause, moderator));
    }
  };

  /** @returns whether the message was about voice, and has been dealt with. */
  return async (question: Question, attempt: Attempt): Promise<boolean> => {
    const { request, guest } = question;
    const said = readVoiceMessage(request);
    if (!said) return false;
    if (said.kind === "request") {
      if (guest) await ask(question, guest.nick, attempt);
      return true;
    }
    if (!guest || !said.isAllowed) return true;
    const { nick, jid } = said;
    const item = { affiliation: undefined, role: "participant" as const, reason: undefined };
    await admin.change(question, [{ ...item, nick, jid: nick === undefined ? jid : undefined }]);
    return true;
  };
}
