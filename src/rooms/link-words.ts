/** What the bot says in both rooms about a link that somebody wishes for, and about one that is made, changed or ended. */
import type { RoomState } from "../bridge/room-state.ts";
import type { Addresses } from "../mapping/addresses.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { Content } from "../matrix/event.ts";
import type { RoomId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { LinkRequest } from "../store/request-records.ts";
import type { RoomLink } from "../store/room-records.ts";
import type { Jid } from "../xmpp/jid.ts";
import { calledOf, type LinkChecks } from "./link-checks.ts";
import type { Visits } from "./visits.ts";

export interface LinkWordsDeps {
  addresses: Pick<Addresses, "botUserId">;
  checks: Pick<LinkChecks, "stateOf">;
  visits: Pick<Visits, "say">;
  matrix: Pick<MatrixClient, "send">;
  /** A text of the bot's as an event. */
  contentOf(text: string): Content;
  txnId(cause: string, part: string): string;
  /** Unix time in milliseconds. */
  now: () => number;
  log: Log;
}

export interface LinkWords {
  askMuc(request: LinkRequest): Promise<void>;
  askMatrix(request: LinkRequest): Promise<void>;
  refused(request: LinkRequest, by: Jid): Promise<void>;
  made(link: RoomLink): Promise<void>;
  modeChanged(link: RoomLink): Promise<void>;
  /** Ahead of it, while the bot is in both rooms. @param here is answered anyway. */
  ending(link: RoomLink, who: string, here: RoomId | undefined): Promise<void>;
}

export function createLinkWords(deps: LinkWordsDeps): LinkWords {
  const { checks, visits, txnId, log } = deps;

  const titleOf = ({ canonicalAlias, roomId, name = "" }: RoomState): string => {
    const address = canonicalAlias ?? roomId;
    // Nobody is to write lines of the bot's.
    const line = name
      .replaceAll(/[\s\p{C}]+/gu, " ")
      .trim()
      .slice(0, 100);
    return line ? `“${line}” (${address})` : address;
  };

  const post = async (roomId: RoomId, text: string, cause: string): Promise<void> => {
    const { botUserId } = deps.addresses;
    const id = txnId(cause, "word");
    await deps.matrix.send(botUserId, roomId, "m.room.message", deps.contentOf(text), id);
  };

  /** What has happened already is not undone because a room keeps the bot from saying so. */
  const announce = async ({ muc, roomId }: RoomLink, toMatrix: string | undefined, toMuc: string) => {
    const cause = `${roomId} ${deps.now()} ${toMuc}`;
    const said = [
      toMatrix === undefined ? undefined : post(roomId, toMatrix, cause),
      visits.say(muc, toMuc, txnId(cause, "muc")),
    ];
    for (const result of await Promise.allSettled(said)) {
      if (result.status === "rejected")
        log.info("a room was not told about its link", { muc, room: roomId, error: result.reason });
    }
  };

  return {
    async askMuc({ code, muc, askedBy, roomId }) {
      const title = titleOf(await checks.stateOf(roomId));
      const words =
        `${calledOf(askedBy)} asks to link this room with the Matrix room ${title}: what is said in one would be ` +
        "said in both. An owner or admin of this room answers within a day:\n" +
        `• !xmpp agree ${code}\n• !xmpp agree ${code} relay – then I alone speak here for all Matrix users\n` +
        `• !xmpp refuse ${code}`;
      await visits.say(muc, words, txnId(code, "muc"));
    },

    askMatrix({ code, muc, askedBy, roomId }) {
      const words =
        `${calledOf(askedBy)} asks to link this room with the XMPP room ${muc}: what is said in one would be said ` +
        "in both. Somebody who may change this room’s settings answers within a day:\n" +
        `• !xmpp agree ${code}\n• !xmpp refuse ${code}`;
      return post(roomId, words, code);
    },

    refused: ({ roomId, muc, code }, by) =>
      post(roomId, `${calledOf(by)} has refused to link ${muc} with this room.`, `${code}/refused`),

    async made(link) {
      const how = link.mode === "relay" ? " The bot speaks for all Matrix users." : "";
      const title = titleOf(await checks.stateOf(link.roomId));
      const ends = `${how} To end that: !xmpp unlink`;
      await announce(
        link,
        `This room is linked with ${link.muc} now.${ends}`,
        `This room is linked with the Matrix room ${title} now.${ends}`,
      );
    },

    async modeChanged(link) {
      const words =
        link.mode === "relay"
          ? "The bot speaks for all Matrix users from now on."
          : "Each Matrix user has a place in the XMPP room from now on.";
      await announce(link, words, words);
    },

    async ending(link, who, here) {
      const { roomId, muc } = link;
      const title = await checks.stateOf(roomId).then(titleOf, () => roomId);
      await announce(
        link,
        here === roomId ? undefined : `${who} has ended the link of this room with ${muc}.`,
        `${who} has ended the link of this room with the Matrix room ${title}.`,
      );
    },
  };
}
