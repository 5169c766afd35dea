/** Rooms as the homeserver keeps them: state, members, history and directory (Client-Server API v1.15). */
import { type Content, isObject, type MatrixEvent, parseEvent, readString } from "./event.ts";
import { type EventId, parseRoomId, type RoomAlias, type RoomId, type UserId } from "./ids.ts";
import { MatrixError } from "./matrix-error.ts";

type Query = Record<string, string>;

export interface RoomCallsDeps {
  get(doing: string, path: string, as?: UserId, query?: Query): Promise<Content>;
  post(doing: string, path: string, body: Content, as?: UserId): Promise<Content>;
  put(doing: string, path: string, body: Content, as?: UserId): Promise<Content>;
  remove(doing: string, path: string, as?: UserId): Promise<Content>;
  /** The same, for the few calls that answer with a list. */
  getList(doing: string, path: string, as?: UserId): Promise<unknown[]>;
}

/** A part of a room's history, in the order asked for. */
export interface HistoryPage {
  events: MatrixEvent[];
  /** Where the next page begins; undefined where there is none. */
  end: string | undefined;
}

export interface PublicRoom {
  roomId: RoomId;
  alias: RoomAlias | undefined;
  name: string | undefined;
  topic: string | undefined;
  members: number;
}

export interface PublicRoomsPage {
  rooms: PublicRoom[];
  next: string | undefined;
}

/** What a room shows to those who are not in it. */
export interface RoomSummary {
  roomId: RoomId;
  name: string | undefined;
  topic: string | undefined;
  avatarUrl: string | undefined;
  canonicalAlias: RoomAlias | undefined;
  members: number | undefined;
  /** "public" where nothing is said. */
  joinRule: string;
  isWorldReadable: boolean;
  isEncrypted: boolean;
  /** Of the asker; undefined for none. */
  membership: string | undefined;
}

const segment = encodeURIComponent;
const room = (roomId: RoomId): string => `/_matrix/client/v3/rooms/${segment(roomId)}`;
const alias = (name: RoomAlias): string => `/_matrix/client/v3/directory/room/${segment(name)}`;

const eventsIn = (list: unknown): MatrixEvent[] =>
  (Array.isArray(list) ? list : []).map(parseEvent).filter((event) => event !== undefined);

const isNotFound = (error: unknown): boolean => error instanceof MatrixError && error.status === 404;

function readPublicRoom(entry: unknown): PublicRoom | undefined {
  const roomId = isObject(entry) ? parseRoomId(readString(entry, "room_id") ?? "") : undefined;
  if (!roomId || !isObject(entry)) return undefined;
  return {
    roomId,
    alias: readString(entry, "canonical_alias") as RoomAlias | undefined,
    name: readString(entry, "name"),
    topic: readString(entry, "topic"),
    members: Number(entry.num_joined_members) || 0,
  };
}

function readSummary(body: Content): RoomSummary | undefined {
  const roomId = parseRoomId(readString(body, "room_id") ?? "");
  const members = body.num_joined_members;
  return (
    roomId && {
      roomId,
      name: readString(body, "name"),
      topic: readString(body, "topic"),
      avatarUrl: readString(body, "avatar_url"),
      canonicalAlias: readString(body, "canonical_alias") as RoomAlias | undefined,
      members: typeof members === "number" ? members : undefined,
      joinRule: readString(body, "join_rule") ?? "public",
      isWorldReadable: body.world_readable === true,
      isEncrypted: [body.encryption, body["im.nheko.summary.encryption"]].some(
        (algorithm) => typeof algorithm === "string",
      ),
      membership: readString(body, "membership"),
    }
  );
}

const summaryPaths = [
  "/_matrix/client/v1/room_summary/",
  // COMPAT(homeservers before Matrix 1.15): MSC3266.
  "/_matrix/client/unstable/im.nheko.summary/summary/",
];

export function roomCalls({ get, post, put, remove, getList }: RoomCallsDeps) {
  const act =
    (action: "kick" | "ban" | "unban") =>
    async (as: UserId, roomId: RoomId, userId: UserId, reason?: string): Promise<void> => {
      const body = { user_id: userId, ...(reason !== undefined && { reason }) };
      await post(`${action} ${userId}`, `${room(roomId)}/${action}`, body, as);
    };

  return {
    kick: act("kick"),
    ban: act("ban"),
    unban: act("unban"),

    /** @param via servers to ask, for a room ID that this homeserver is not in. */
    async joinRoom(as: UserId, target: RoomId | RoomAlias, via: readonly string[] = []): Promise<RoomId> {
      // COMPAT(homeservers before Matrix 1.12): they know `server_name` only.
      const query = via.map((server) => `via=${segment(server)}&server_name=${segment(server)}`).join("&");
      const path = `/_matrix/client/v3/join/${segment(target)}${query && `?${query}`}`;
      return readString(await post(`join ${target}`, path, {}, as), "room_id") as RoomId;
    },

    async knock(as: UserId, target: RoomId | RoomAlias, reason?: string): Promise<RoomId> {
      const path = `/_matrix/client/v3/knock/${segment(target)}`;
      const body = reason === undefined ? {} : { reason };
      return readString(await post(`knock on ${target}`, path, body, as), "room_id") as RoomId;
    },

    /** @returns the event ID. */
    async setState(
      as: UserId,
      roomId: RoomId,
      type: string,
      content: Content,
      stateKey = "",
    ): Promise<EventId> {
      const path = `${room(roomId)}/state/${segment(type)}/${segment(stateKey)}`;
      return readString(await put(`set ${type}`, path, content, as), "event_id") as EventId;
    },

    /** All state of the room, members included, as it is now. */
    async fullState(as: UserId, roomId: RoomId): Promise<MatrixEvent[]> {
      return eventsIn(await getList("read the state of a room", `${room(roomId)}/state`, as));
    },

    /** @param query `dir` is "b" for backwards in time, `from` and `to` tokens of earlier pages. */
    async history(
      as: UserId,
      roomId: RoomId,
      query: { dir: "b" | "f"; limit: number; from?: string; to?: string; filter?: Content },
    ): Promise<HistoryPage> {
      const { dir, limit, from, to, filter } = query;
      const body = await get("read history", `${room(roomId)}/messages`, as, {
        dir,
        limit: String(limit),
        ...(from !== undefined && { from }),
        ...(to !== undefined && { to }),
        ...(filter && { filter: JSON.stringify(filter) }),
      });
      return { events: eventsIn(body.chunk), end: readString(body, "end") };
    },

    /** Where in the history an event is; undefined where it is unknown, or not for these eyes. */
    async placeOf(
      as: UserId,
      roomId: RoomId,
      eventId: EventId,
    ): Promise<{ event: MatrixEvent; before: string; after: string } | undefined> {
      try {
        const path = `${room(roomId)}/context/${segment(eventId)}`;
        const body = await get(`find ${eventId}`, path, as, { limit: "0" });
        const event = parseEvent(body.event);
        const [before, after] = [readString(body, "start"), readString(body, "end")];
        return event && before !== undefined && after !== undefined ? { event, before, after } : undefined;
      } catch (error) {
        if (error instanceof MatrixError && (error.status === 404 || error.status === 403)) return undefined;
        throw error;
      }
    },

    /**
     * The event next to a time in Unix milliseconds; undefined where there is none in that direction.
     * @throws MatrixError with M_UNRECOGNIZED where the homeserver has no such call.
     */
    async eventAt(as: UserId, roomId: RoomId, time: number, dir: "b" | "f"): Promise<EventId | undefined> {
      const path = `/_matrix/client/v1/rooms/${segment(roomId)}/timestamp_to_event`;
      try {
        const body = await get("find an event by its time", path, as, { ts: String(time), dir });
        return readString(body, "event_id") as EventId | undefined;
      } catch (error) {
        const isUnknown = error instanceof MatrixError && error.errcode === "M_UNRECOGNIZED";
        if (isNotFound(error) && !isUnknown) return undefined;
        throw error;
      }
    },

    /** @returns the room that has the alias, and servers that are in it; undefined where none has. */
    async resolveAlias(name: RoomAlias): Promise<{ roomId: RoomId; servers: string[] } | undefined> {
      try {
        const body = await get(`resolve ${name}`, alias(name));
        const roomId = parseRoomId(readString(body, "room_id") ?? "");
        const servers: unknown[] = Array.isArray(body.servers) ? body.servers : [];
        const isText = (server: unknown): server is string => typeof server === "string";
        return roomId && { roomId, servers: servers.filter(isText) };
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },

    async putAlias(as: UserId, name: RoomAlias, roomId: RoomId): Promise<void> {
      await put(`name a room ${name}`, alias(name), { room_id: roomId }, as);
    },

    async removeAlias(as: UserId, name: RoomAlias): Promise<void> {
      try {
        await remove(`take ${name} away`, alias(name), as);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },

    /** The rooms that the homeserver shows to everyone, the largest first. */
    async publicRooms(query: { limit: number; since?: string; search?: string }): Promise<PublicRoomsPage> {
      const { limit, since, search } = query;
      const body = await post("list public rooms", "/_matrix/client/v3/publicRooms", {
        limit,
        ...(since !== undefined && { since }),
        ...(search && { filter: { generic_search_term: search } }),
      });
      const chunk: unknown[] = Array.isArray(body.chunk) ? body.chunk : [];
      return {
        rooms: chunk.map(readPublicRoom).filter((entry) => entry !== undefined),
        next: readString(body, "next_batch"),
      };
    },

    /**
     * What a room shows to those outside; undefined where it is unknown or shows them nothing.
     * @throws MatrixError with M_UNRECOGNIZED where the homeserver has no such call.
     */
    async roomSummary(
      as: UserId,
      target: RoomId | RoomAlias,
      via: readonly string[] = [],
    ): Promise<RoomSummary | undefined> {
      let unknown: unknown;
      for (const path of summaryPaths) {
        try {
          const query = via[0] === undefined ? undefined : { via: via[0] };
          return readSummary(await get(`read the summary of ${target}`, path + segment(target), as, query));
        } catch (error) {
          if (!(error instanceof MatrixError && (error.status === 404 || error.status === 403))) throw error;
          if (error.errcode !== "M_UNRECOGNIZED") return undefined;
          unknown = error;
        }
      }
      throw unknown;
    },

    /** Whether the homeserver's directory shows the room to everyone. */
    async isListed(roomId: RoomId): Promise<boolean> {
      const path = `/_matrix/client/v3/directory/list/room/${segment(roomId)}`;
      return readString(await get("read the directory", path), "visibility") === "public";
    },

    async setListed(as: UserId, roomId: RoomId, isListed: boolean): Promise<void> {
      const path = `/_matrix/client/v3/directory/list/room/${segment(roomId)}`;
      await put("change the directory", path, { visibility: isListed ? "public" : "private" }, as);
    },
  };
}
