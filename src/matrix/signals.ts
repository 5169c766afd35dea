/** What ghosts show besides messages: typing, receipts, presence and profiles (Client-Server API v1.15). */
import { type Content, readString } from "./event.ts";
import type { EventId, RoomId, UserId } from "./ids.ts";
import { MatrixError } from "./matrix-error.ts";

/** Makes one call as the ghost. */
type Call = (doing: string, path: string, body: Content, as: UserId) => Promise<Content>;

export interface SignalDeps {
  get(doing: string, path: string, as: UserId): Promise<Content>;
  post: Call;
  put: Call;
}

const segment = encodeURIComponent;
const base = "/_matrix/client/v3";

export const signalCalls = ({ get, post, put }: SignalDeps) => ({
  async setTyping(ghost: UserId, roomId: RoomId, typing: boolean, timeoutMs: number): Promise<void> {
    const path = `${base}/rooms/${segment(roomId)}/typing/${segment(ghost)}`;
    await put(`type in ${roomId}`, path, typing ? { typing, timeout: timeoutMs } : { typing }, ghost);
  },

  async markRead(ghost: UserId, roomId: RoomId, eventId: EventId): Promise<void> {
    const path = `${base}/rooms/${segment(roomId)}/receipt/m.read/${segment(eventId)}`;
    await post(`read ${eventId}`, path, {}, ghost);
  },

  async setPresence(ghost: UserId, presence: string, status: string | undefined): Promise<void> {
    const body = { presence, ...(status !== undefined && { status_msg: status }) };
    await put(`show the presence of ${ghost}`, `${base}/presence/${segment(ghost)}/status`, body, ghost);
  },

  /** @returns undefined where the homeserver does not tell. */
  async presenceOf(ghost: UserId): Promise<string | undefined> {
    try {
      const path = `${base}/presence/${segment(ghost)}/status`;
      return readString(await get(`read the presence of ${ghost}`, path, ghost), "presence");
    } catch (error) {
      if (error instanceof MatrixError && error.status < 500 && error.status !== 429) return undefined;
      throw error;
    }
  },

  async setDisplayName(ghost: UserId, displayname: string): Promise<void> {
    await put(`name ${ghost}`, `${base}/profile/${segment(ghost)}/displayname`, { displayname }, ghost);
  },

  /** @param mxc "" takes the picture away. */
  async setAvatar(ghost: UserId, mxc: string): Promise<void> {
    const path = `${base}/profile/${segment(ghost)}/avatar_url`;
    await put(`picture ${ghost}`, path, { avatar_url: mxc }, ghost);
  },
});
