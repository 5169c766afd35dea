/** What the bot tells a linked Matrix room about the link itself. */
import type { MatrixClient } from "../matrix/client.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";

export interface NoticesDeps {
  bot: UserId;
  matrix: Pick<MatrixClient, "send">;
  txnId(cause: string, part: string): string;
  log: Log;
}

/** Never throws: what it tells of has happened already. @param cause makes saying it again the same. */
export type Notice = (roomId: RoomId, body: string, cause: string) => Promise<void>;

export function createNotices({ bot, matrix, txnId, log }: NoticesDeps): Notice {
  return async (roomId, body, cause) => {
    const content = { msgtype: "m.notice", body };
    try {
      await matrix.send(bot, roomId, "m.room.message", content, txnId(cause, `notice ${roomId}`));
    } catch (error) {
      log.warn("a room could not be told about its link", { room: roomId, error });
    }
  };
}
