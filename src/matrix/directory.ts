/** The homeserver's directories of users and of published rooms (Client-Server API v1.15), as the bot. */
import { type Content, isObject, readString } from "./event.ts";
import { parseRoomId, type RoomId } from "./ids.ts";

type Call = (doing: string, path: string, body: Content) => Promise<Content>;

export interface DirectoryDeps {
  post: Call;
  put: Call;
}

const segment = encodeURIComponent;

export const directoryCalls = ({ post, put }: DirectoryDeps) => ({
  /** The homeserver's user directory, as far as the bot may see it. */
  async searchUsers(term: string, limit: number): Promise<{ userId: string; displayName?: string }[]> {
    const path = "/_matrix/client/v3/user_directory/search";
    const { results } = await post("search the user directory", path, { search_term: term, limit });
    return (Array.isArray(results) ? results : []).flatMap((result: unknown) => {
      if (!isObject(result)) return [];
      const [userId, displayName] = [readString(result, "user_id"), readString(result, "display_name")];
      return userId ? [{ userId, ...(displayName !== undefined && { displayName }) }] : [];
    });
  },

  /** Rooms in the directory that a network of ours has on the homeserver; the first few hundred of them. */
  async publishedRooms(instanceId: string): Promise<RoomId[]> {
    const body = { third_party_instance_id: instanceId, limit: 500 };
    const { chunk } = await post("list published rooms", "/_matrix/client/v3/publicRooms", body);
    const entries: unknown[] = Array.isArray(chunk) ? chunk : [];
    return entries.flatMap(
      (entry) => parseRoomId((isObject(entry) && readString(entry, "room_id")) || "") ?? [],
    );
  },

  /** Takes a room out of the directory of a network of ours. */
  async unpublish(networkId: string, roomId: RoomId): Promise<void> {
    const path = `/_matrix/client/v3/directory/list/appservice/${segment(networkId)}/${segment(roomId)}`;
    await put(`unpublish ${roomId}`, path, { visibility: "private" });
  },
});
