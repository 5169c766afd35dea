/** The homeserver as the bridge calls it, as its bot or as one of its ghosts: Client-Server API v1.15. */
import { type Http, type HttpAnswer, type HttpRequest, retryAfterOf } from "../http/client.ts";
import { directoryCalls } from "./directory.ts";
import { type Content, isObject, type MatrixEvent, parseEvent, readString } from "./event.ts";
import type { EventId, RoomId, UserId } from "./ids.ts";
import { MatrixError } from "./matrix-error.ts";
import { roomCalls } from "./rooms.ts";
import { signalCalls } from "./signals.ts";

/** Key in the content of every event that the bridge sends: what caused it, so that a repeat is recognised. */
export const causeKey = "causeway.cause";

export interface Profile {
  displayName: string | undefined;
  /** An mxc:// URI. */
  avatarUrl?: string | undefined;
}

export interface Thumbnail {
  type: string;
  bytes: Buffer;
}

/** A face beside a name, and what of it fits into an answer over XMPP. */
const thumbnail = {
  query: { width: "96", height: "96", method: "crop" },
  maxBytes: 64 * 1024,
  timeoutMs: 8000,
};

export interface MatrixClientDeps {
  http: Http;
  asToken: string;
  appserviceId: string;
  now: () => number;
  /** Told after each call: undefined where the homeserver answered, else what was wrong. */
  onContact?: (problem: string | undefined) => void;
}

export type MatrixClient = ReturnType<typeof createMatrixClient>;

const parseBody = (body: string): unknown => {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
};

const chunkOf = ({ chunk }: Content): MatrixEvent[] =>
  (Array.isArray(chunk) ? chunk : []).map(parseEvent).filter((event) => event !== undefined);

const segment = encodeURIComponent;
const oldest = { dir: "f", limit: "1" };
/** Of a hundred events each. */
const maxPages = 10;
const room = (roomId: RoomId): string => `/_matrix/client/v3/rooms/${segment(roomId)}`;
const profilePath = (userId: UserId): string => `/_matrix/client/v3/profile/${segment(userId)}`;

/**
 * Every call resolves with what the caller needs of the answer.
 * @throws MatrixError where the homeserver refused, NoAnswerError where none came.
 */
export function createMatrixClient({ http, asToken, appserviceId, now, onContact }: MatrixClientDeps) {
  const ask = async (request: HttpRequest): Promise<HttpAnswer> => {
    try {
      const answer = await http.request({
        ...request,
        headers: { authorization: `Bearer ${asToken}`, "content-type": "application/json" },
      });
      // COMPAT(Synapse): says so of another server, as when an alias of one that is not there is asked for.
      const isAnothers = (answer.status === 502 || answer.status === 504) && isObject(parseBody(answer.body));
      const down = answer.status >= 500 && !isAnothers ? `answered with status ${answer.status}` : undefined;
      onContact?.(answer.status === 401 ? "refuses the application service's token (as_token)" : down);
      return answer;
    } catch (error) {
      onContact?.((error as Error).message);
      throw error;
    }
  };

  const callFor = async <T>(
    isUsable: (body: unknown) => body is T,
    doing: string,
    request: HttpRequest,
    as?: UserId,
  ): Promise<T> => {
    const answer = await ask({ ...request, ...(as && { query: { ...request.query, user_id: as } }) });
    const body = parseBody(answer.body);
    if (answer.status >= 200 && answer.status < 300 && isUsable(body)) return body;
    // A success without JSON is no success that could be used: a proxy's page, or half an answer.
    throw new MatrixError(doing, answer.status, body, retryAfterOf(answer, now()));
  };
  const call = (doing: string, request: HttpRequest, as?: UserId): Promise<Content> =>
    callFor(isObject, doing, request, as);
  const getList = (doing: string, path: string, as?: UserId): Promise<unknown[]> =>
    callFor(Array.isArray, doing, { method: "GET", path, repeatable: true }, as);
  const remove = (doing: string, path: string, as?: UserId): Promise<Content> =>
    call(doing, { method: "DELETE", path, repeatable: true }, as);
  const get = (doing: string, path: string, as?: UserId, query?: Record<string, string>) =>
    call(doing, { method: "GET", path, repeatable: true, ...(query && { query }) }, as);
  const post = (doing: string, path: string, body: Content, as?: UserId, repeatable = true) =>
    call(doing, { method: "POST", path, body: JSON.stringify(body), repeatable }, as);
  const put = (
    doing: string,
    path: string,
    body: Content,
    as?: UserId,
    repeatable = true,
    query?: Record<string, string>,
  ) =>
    call(doing, { method: "PUT", path, body: JSON.stringify(body), repeatable, ...(query && { query }) }, as);

  const findSent = async (ghost: UserId, roomId: RoomId, txnId: string): Promise<EventId | undefined> => {
    const filter = JSON.stringify({ senders: [ghost] });
    const query = { dir: "b", limit: "50", filter };
    const body = await get("read recent events", `${room(roomId)}/messages`, ghost, query);
    return chunkOf(body).find(({ content }) => content[causeKey] === txnId)?.event_id;
  };

  return {
    ...signalCalls({ get, post, put }),
    ...directoryCalls({ post, put }),
    ...roomCalls({ get, getList, post, put, remove }),

    /** Asks the homeserver to call the bridge back; the raw answer, since each refusal means something else. */
    ping: (transactionId: string) =>
      ask({
        method: "POST",
        path: `/_matrix/client/v1/appservice/${segment(appserviceId)}/ping`,
        body: JSON.stringify({ transaction_id: transactionId }),
      }),

    async register(localpart: string): Promise<void> {
      const body = { type: "m.login.application_service", username: localpart, inhibit_login: true };
      try {
        await post(`register ${localpart}`, "/_matrix/client/v3/register", body);
      } catch (error) {
        if (!(error instanceof MatrixError && error.errcode === "M_USER_IN_USE")) throw error;
      }
    },

    /** @returns undefined where the homeserver knows no such user. */
    async profile(userId: UserId): Promise<Profile | undefined> {
      try {
        const body = await get(`read the profile of ${userId}`, profilePath(userId));
        return { displayName: readString(body, "displayname"), avatarUrl: readString(body, "avatar_url") };
      } catch (error) {
        if (error instanceof MatrixError && error.status === 404) return undefined;
        throw error;
      }
    },

    /** @returns a small picture of the media, or undefined where there is none that is small enough. */
    async thumbnail(mxc: string): Promise<Thumbnail | undefined> {
      const [, server, mediaId] = /^mxc:\/\/([^/]+)\/([A-Za-z0-9_-]+)$/.exec(mxc) ?? [];
      if (!server || !mediaId) return undefined;
      const media = `thumbnail/${segment(server)}/${mediaId}`;
      // COMPAT(homeservers before Matrix 1.11): media is under the second path only, and needs no token there.
      for (const path of [`/_matrix/client/v1/media/${media}`, `/_matrix/media/v3/${media}`]) {
        const { status, bytes, headers } = await ask({ method: "GET", path, ...thumbnail });
        if (bytes) return { type: headers["content-type"]?.split(";", 1)[0] ?? "", bytes };
        if (status !== 404 && status !== 405) return undefined;
      }
      return undefined;
    },

    async createRoom(ghost: UserId, body: Content): Promise<RoomId> {
      const answer = await post("create a room", "/_matrix/client/v3/createRoom", body, ghost, false);
      return readString(answer, "room_id") as RoomId;
    },

    async join(ghost: UserId, roomId: RoomId): Promise<void> {
      await post(`join ${roomId}`, `${room(roomId)}/join`, {}, ghost);
    },

    async leave(ghost: UserId, roomId: RoomId, reason?: string): Promise<void> {
      const body = reason ? { reason } : {};
      await post(`leave ${roomId}`, `${room(roomId)}/leave`, body, ghost);
    },

    async invite(ghost: UserId, roomId: RoomId, userId: UserId, reason?: string): Promise<void> {
      const body = { user_id: userId, ...(reason !== undefined && { reason }) };
      await post(`invite ${userId}`, `${room(roomId)}/invite`, body, ghost);
    },

    async joinedRooms(ghost: UserId): Promise<RoomId[]> {
      const body = await get("list joined rooms", "/_matrix/client/v3/joined_rooms", ghost);
      return Array.isArray(body.joined_rooms) ? body.joined_rooms : [];
    },

    /** @returns the content of a state event, or undefined where there is none. */
    async state(ghost: UserId, roomId: RoomId, type: string): Promise<Content | undefined> {
      try {
        return await get(`read ${type}`, `${room(roomId)}/state/${segment(type)}/`, ghost);
      } catch (error) {
        if (error instanceof MatrixError && (error.status === 404 || error.status === 403)) return undefined;
        throw error;
      }
    },

    /** Membership by user, those who left or were never there left out. */
    async members(ghost: UserId, roomId: RoomId): Promise<Map<UserId, string>> {
      const body = await get("list members", `${room(roomId)}/members`, ghost);
      const present = chunkOf(body).flatMap(({ content, state_key }): [UserId, string][] => {
        const membership = readString(content, "membership");
        const here = membership === "join" || membership === "invite";
        return state_key && here ? [[state_key as UserId, membership]] : [];
      });
      return new Map(present);
    },

    /**
     * @param txnId unique over all ghosts: Synapse forgets whose it was (see docs/servers.md).
     * @param sentAt when it was said, in Unix milliseconds, where that is not now ("Timestamp massaging").
     */
    async send(
      ghost: UserId,
      roomId: RoomId,
      type: string,
      content: Content,
      txnId: string,
      sentAt?: number,
    ): Promise<EventId> {
      const path = `${room(roomId)}/send/${segment(type)}/${segment(txnId)}`;
      const body = { ...content, [causeKey]: txnId };
      const query = sentAt === undefined ? undefined : { ts: String(sentAt) };
      const answer = await put(`send to ${roomId}`, path, body, ghost, false, query);
      return readString(answer, "event_id") as EventId;
    },

    /** @returns undefined where there is no such event, or the ghost may not see it. */
    async event(ghost: UserId, roomId: RoomId, eventId: EventId): Promise<MatrixEvent | undefined> {
      try {
        const path = `${room(roomId)}/event/${segment(eventId)}`;
        return parseEvent(await get(`read ${eventId}`, path, ghost));
      } catch (error) {
        if (error instanceof MatrixError && (error.status === 404 || error.status === 403)) return undefined;
        throw error;
      }
    },

    /** The events just before one, the newest first; none where the ghost may not see it. */
    async eventsBefore(ghost: UserId, roomId: RoomId, eventId: EventId): Promise<MatrixEvent[]> {
      try {
        const path = `${room(roomId)}/context/${segment(eventId)}`;
        const body = await get(`read around ${eventId}`, path, ghost, { limit: "20" });
        return chunkOf({ chunk: body.events_before });
      } catch (error) {
        if (error instanceof MatrixError && (error.status === 404 || error.status === 403)) return [];
        throw error;
      }
    },

    /** The reactions to an event, the first hundred of them. */
    async reactions(ghost: UserId, roomId: RoomId, eventId: EventId): Promise<MatrixEvent[]> {
      const path = `/_matrix/client/v1/rooms/${segment(roomId)}/relations/${segment(eventId)}/m.annotation/m.reaction`;
      return chunkOf(await get(`read reactions to ${eventId}`, path, ghost, { limit: "100" }));
    },

    /** Takes an event's content away, for everyone. */
    async redact(
      ghost: UserId,
      roomId: RoomId,
      eventId: EventId,
      txnId: string,
      reason?: string,
    ): Promise<void> {
      const path = `${room(roomId)}/redact/${segment(eventId)}/${segment(txnId)}`;
      await put(`redact ${eventId}`, path, { ...(reason !== undefined && { reason }) }, ghost);
    },

    /** The event that made the room. */
    firstEvent: async (ghost: UserId, roomId: RoomId): Promise<EventId | undefined> =>
      chunkOf(await get("read an event", `${room(roomId)}/messages`, ghost, oldest))[0]?.event_id,

    /** What happened in the room after the event, oldest first; undefined if the event is not among the last thousand. */
    async eventsAfter(ghost: UserId, roomId: RoomId, eventId: EventId): Promise<MatrixEvent[] | undefined> {
      const newestFirst: MatrixEvent[] = [];
      let from: string | undefined;
      for (let page = 0; page < maxPages; page += 1) {
        const query = { dir: "b", limit: "100", ...(from !== undefined && { from }) };
        const body = await get("read recent events", `${room(roomId)}/messages`, ghost, query);
        const events = chunkOf(body);
        const end = events.findIndex(({ event_id }) => event_id === eventId);
        newestFirst.push(...(end === -1 ? events : events.slice(0, end)));
        if (end !== -1) return newestFirst.reverse();
        from = readString(body, "end");
        if (from === undefined) break;
      }
      return undefined;
    },

    /** The event that the ghost sent for this cause, if it is among the room's newest. */
    findSent,
    hasSent: async (ghost: UserId, roomId: RoomId, txnId: string): Promise<boolean> =>
      (await findSent(ghost, roomId, txnId)) !== undefined,
  };
}
