/**
 * A stand-in for Synapse as a bridge meets it: the part of the Client-Server API v1.15 that an application service
 * uses, over HTTP, and Matrix users whom a test or a demonstration leads by the hand.
 */
import { createMedia } from "./fake-media.ts";
import { createPusher } from "./fake-pusher.ts";
import { createPushers } from "./fake-pushers.ts";
import { type Content, createRooms, Refusal, type RoomEvent } from "./fake-rooms.ts";
import { type Answer, type SeenRequest, startFakeServer } from "./fake-server.ts";
import { createSignals } from "./fake-signals.ts";

export interface HomeserverOptions {
  domain?: string;
  asToken?: string;
  hsToken?: string;
  appserviceId?: string;
  userPrefix?: string;
}

export type FakeHomeserver = Awaited<ReturnType<typeof startFakeHomeserver>>;

type Route = (userId: string, params: string[], request: SeenRequest) => Promise<Content> | Content;

const json = (status: number, body: unknown): Answer => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

const bodyOf = ({ body }: SeenRequest): Content => {
  try {
    return body === "" ? {} : JSON.parse(body);
  } catch {
    throw new Refusal(400, "M_NOT_JSON", "not JSON");
  }
};

/** Answers to the same ID on the same path the same again, whoever asks: COMPAT(Synapse 1.160). */
function createTransactionCache() {
  const answers = new Map<string, string>();
  return {
    once(path: string, work: () => string): string {
      const answer = answers.get(path) ?? work();
      answers.set(path, answer);
      return answer;
    },
    forget: (): void => answers.clear(),
  };
}

export async function startFakeHomeserver(options: HomeserverOptions = {}) {
  const { domain = "hs.test", appserviceId = "causeway", userPrefix = "_xmpp_" } = options;
  const { asToken = "as-token-0123456789", hsToken = "hs-token-0123456789" } = options;
  const bot = `@${userPrefix}bot:${domain}`;
  const names = new Map<string, string | undefined>([[bot, undefined]]);
  const avatars = new Map<string, string>();
  const thumbnails = new Map<string, Answer>();
  const media = createMedia(domain);
  const signals = createSignals(avatars);
  const isOurs = (userId: string): boolean => userId.startsWith(`@${userPrefix}`);
  const cache = createTransactionCache();
  let bridgeUrl: string | undefined;
  const pushers = createPushers();
  const pusher = createPusher({ hsToken, url: () => bridgeUrl });

  let clockShiftMs = 0;
  const onEvent: Parameters<typeof createRooms>[1] = (event, room) => {
    const present = [...room.members].filter(([, membership]) => membership === "join").map(([id]) => id);
    if ([event.sender, event.state_key ?? "", ...present].some(isOurs)) pusher.add(event);
  };
  const rooms = createRooms(domain, onEvent, () => Date.now() + clockShiftMs);

  const ping = async (id: string, body: Content): Promise<Content> => {
    if (id !== appserviceId) throw new Refusal(403, "M_FORBIDDEN", "that is another application service");
    if (bridgeUrl === undefined) throw new Refusal(400, "M_URL_NOT_SET", "the registration has no url");
    const startedAt = Date.now();
    const answer = await pusher.call("POST", "/_matrix/app/v1/ping", body).catch((error: Error) => {
      throw new Refusal(502, "M_CONNECTION_FAILED", error.message);
    });
    if (answer.status !== 200) throw new Refusal(502, "M_BAD_STATUS", answer.body);
    return { duration_ms: Date.now() - startedAt };
  };
  const register = (username: string): Content => {
    const userId = `@${username}:${domain}`;
    if (!isOurs(userId)) throw new Refusal(400, "M_EXCLUSIVE", `${userId} is not in the namespace`);
    if (names.has(userId)) throw new Refusal(400, "M_USER_IN_USE", `${userId} is taken`);
    names.set(userId, username);
    return { user_id: userId };
  };
  const profile = (userId: string): Content => {
    if (!names.has(userId)) throw new Refusal(404, "M_NOT_FOUND", `there is no ${userId}`);
    const displayname = names.get(userId);
    const avatar = avatars.get(userId);
    return {
      ...(displayname !== undefined && { displayname }),
      ...(avatar !== undefined && { avatar_url: avatar }),
    };
  };
  const searchUsers = (term: string): Content => {
    const fits = ([userId, name]: [string, string | undefined]): boolean =>
      userId.includes(term) || (name ?? "").toLowerCase().includes(term.toLowerCase());
    const results = [...names].filter(fits).map(([user_id, display_name]) => ({ user_id, display_name }));
    return { limited: false, results };
  };
  const messages = (userId: string, roomId: string, query: URLSearchParams): Content => {
    const { senders }: { senders?: string[] } = JSON.parse(query.get("filter") ?? "{}");
    const chosen = rooms.history(userId, roomId).filter(({ sender }) => senders?.includes(sender) ?? true);
    if (query.get("dir") === "f")
      return { chunk: chosen.slice(0, Number(query.get("limit") ?? 10)), start: "0" };
    // A token is a place in the room's history, which newer events leave where it is.
    const until = Number(query.get("from") ?? chosen.length);
    const since = Math.max(0, until - Number(query.get("limit") ?? 10));
    return {
      chunk: chosen.slice(since, until).reverse(),
      start: String(until),
      ...(since > 0 && { end: String(since) }),
    };
  };
  const context = (userId: string, roomId: string, eventId: string): Content => {
    const event = rooms.event(userId, roomId, eventId);
    const history = rooms.history(userId, roomId);
    return { event, events_before: history.slice(0, history.indexOf(event)).reverse().slice(0, 10) };
  };
  const members = (userId: string, roomId: string): Content => {
    rooms.history(userId, roomId);
    const newest = new Map<string, RoomEvent>();
    for (const event of rooms.history(userId, roomId)) {
      if (event.type === "m.room.member") newest.set(event.state_key ?? "", event);
    }
    return { chunk: [...newest.values()] };
  };
  /** What an application service's network has in the room directory: room by ID, its network beside it. */
  const directory = new Map<string, string>();
  const published = ({ third_party_instance_id: instance }: Content): Content => ({
    chunk: [...directory]
      .filter(([, network]) => instance === `${appserviceId}|${network}`)
      .map(([room_id]) => ({ room_id, num_joined_members: 1, world_readable: false, guest_can_join: false })),
  });
  const setPublished = (network: string, roomId: string, { visibility }: Content): void => {
    if (visibility === "public") directory.set(roomId, network);
    else if (directory.get(roomId) === network) directory.delete(roomId);
  };
  const aliases = new Map<string, string>();
  const createRoom = (creator: string, body: Content): string => {
    const { room_alias_name: local } = body;
    const alias = `#${local}:${domain}`;
    if (local !== undefined && aliases.has(alias)) {
      throw new Refusal(400, "M_ROOM_IN_USE", "Room alias already taken");
    }
    const roomId = rooms.create(creator, body);
    if (local !== undefined) aliases.set(alias, roomId);
    return roomId;
  };
  const resolve = (alias: string): Content => {
    const room_id = aliases.get(alias);
    if (!room_id) throw new Refusal(404, "M_NOT_FOUND", `Room alias ${alias} not found`);
    return { room_id, servers: [domain] };
  };
  const name = (alias: string, roomId: string): void => {
    if (aliases.has(alias)) throw new Refusal(409, "M_UNKNOWN", `Room alias ${alias} already exists`);
    aliases.set(alias, roomId);
  };
  const nothing = (done: unknown): Content => (done === undefined ? {} : {});

  const room = "/_matrix/client/v3/rooms/([^/]+)";
  const routes: [string, RegExp, Route][] = (
    [
      ["POST", "/_matrix/client/v1/appservice/([^/]+)/ping", (_u, [id = ""], req) => ping(id, bodyOf(req))],
      ["POST", "/_matrix/client/v3/register", (_u, _p, req) => register(String(bodyOf(req).username))],
      ["GET", "/_matrix/client/v3/account/whoami", (user_id) => ({ user_id })],
      ["GET", "/_matrix/client/v3/profile/([^/]+)", (_u, [id = ""]) => profile(id)],
      [
        "PUT",
        "/_matrix/client/v3/profile/([^/]+)/displayname",
        (_u, [id = ""], req) => nothing(void names.set(id, String(bodyOf(req).displayname))),
      ],
      ["POST", "/_matrix/client/v3/createRoom", (u, _p, req) => ({ room_id: createRoom(u, bodyOf(req)) })],
      ["GET", "/_matrix/client/v3/directory/room/([^/]+)", (_u, [alias = ""]) => resolve(alias)],
      [
        "PUT",
        "/_matrix/client/v3/directory/room/([^/]+)",
        (_u, [alias = ""], req) => nothing(name(alias, String(bodyOf(req).room_id))),
      ],
      [
        "DELETE",
        "/_matrix/client/v3/directory/room/([^/]+)",
        (_u, [alias = ""]) => nothing(void aliases.delete(alias)),
      ],
      [
        "PUT",
        `${room}/state/([^/]+)/([^/]*)`,
        (u, [id = "", type = "", key = ""], req) => ({
          event_id: rooms.send(u, id, type, bodyOf(req), key),
        }),
      ],
      ...(["kick", "ban", "unban"] as const).map((action): [string, string, Route] => [
        "POST",
        `${room}/${action}`,
        (u, [id = ""], req) => {
          const { user_id, reason } = bodyOf(req);
          return nothing(
            rooms[action](u, id, String(user_id), reason === undefined ? reason : String(reason)),
          );
        },
      ]),
      [
        "POST",
        "/_matrix/client/v3/user_directory/search",
        (_u, _p, req) => searchUsers(String(bodyOf(req).search_term)),
      ],
      ["GET", "/_matrix/client/v3/joined_rooms", (u) => ({ joined_rooms: rooms.joinedBy(u) })],
      ["POST", `${room}/join`, (u, [id = ""]) => nothing(rooms.join(u, id))],
      [
        "POST",
        "/_matrix/client/v3/join/([^/]+)",
        (u, [id = ""]) => {
          rooms.join(u, id);
          return { room_id: id };
        },
      ],
      [
        "POST",
        `${room}/leave`,
        (u, [id = ""], req) => nothing(rooms.leave(u, id, String(bodyOf(req).reason))),
      ],
      [
        "POST",
        `${room}/invite`,
        (u, [id = ""], req) => nothing(rooms.invite(u, id, String(bodyOf(req).user_id))),
      ],
      ["GET", `${room}/state/([^/]+)/`, (u, [id = "", type = ""]) => rooms.state(u, id, type)],
      ["GET", `${room}/state`, (u, [id = ""]) => rooms.fullState(u, id)],
      ["GET", `${room}/members`, (u, [id = ""]) => members(u, id)],
      ["GET", `${room}/messages`, (u, [id = ""], req) => messages(u, id, req.query)],
      [
        "PUT",
        `${room}/redact/([^/]+)/([^/]+)`,
        (u, [id = "", eventId = ""], req) => ({
          event_id: cache.once(req.path, () => rooms.redact(u, id, eventId, String(bodyOf(req).reason))),
        }),
      ],
      ["POST", "/_matrix/client/v3/publicRooms", (_u, _p, req) => published(bodyOf(req))],
      [
        "PUT",
        "/_matrix/client/v3/directory/list/appservice/([^/]+)/([^/]+)",
        (_u, [network = "", id = ""], req) => nothing(setPublished(network, id, bodyOf(req))),
      ],
      [
        "PUT",
        `${room}/send/([^/]+)/([^/]+)`,
        (u, [id = "", type = ""], req) => ({
          event_id: cache.once(req.path, () => {
            const sentAt = req.query.get("ts");
            return rooms.send(u, id, type, bodyOf(req), undefined, sentAt ? Number(sentAt) : undefined);
          }),
        }),
      ],
      ["GET", `${room}/context/([^/]+)`, (u, [id = "", eventId = ""]) => context(u, id, eventId)],
      ["GET", `${room}/event/([^/]+)`, (u, [id = "", eventId = ""]) => ({ ...rooms.event(u, id, eventId) })],
      [
        "GET",
        "/_matrix/client/v1/rooms/([^/]+)/relations/([^/]+)/m.annotation/m.reaction",
        (u, [id = "", eventId = ""]) => ({ chunk: rooms.reactions(u, id, eventId) }),
      ],
    ] as [string, string, Route][]
  ).map(([method, path, route]) => [method, new RegExp(`^${path}$`), route]);

  const actingUser = ({ headers, query }: SeenRequest): string => {
    const token = /^Bearer (.*)$/.exec(headers.authorization ?? "")?.[1];
    if (token === undefined) throw new Refusal(401, "M_MISSING_TOKEN", "no token");
    if (token !== asToken) throw new Refusal(401, "M_UNKNOWN_TOKEN", "unknown token");
    const userId = query.get("user_id") ?? bot;
    if (!isOurs(userId)) throw new Refusal(403, "M_FORBIDDEN", `cannot masquerade as ${userId}`);
    if (!names.has(userId)) throw new Refusal(403, "M_FORBIDDEN", `${userId} is not registered`);
    return userId;
  };

  const answerTo = async (request: SeenRequest): Promise<Answer> => {
    const small = /^\/_matrix\/client\/v1\/media\/thumbnail\/(.+)$/.exec(request.path)?.[1];
    const thumbnail = small && actingUser(request) === bot ? thumbnails.get(`mxc://${small}`) : undefined;
    if (thumbnail) return thumbnail;
    if (media.isFor(request)) return media.answer(request, actingUser(request));
    if (pushers.isFor(request)) return json(200, pushers.set(request));
    const shown = request.path.startsWith("/_matrix/client/") && signals.answer(request, actingUser(request));
    if (shown) return json(200, shown);
    for (const [method, path, route] of routes) {
      const found = method === request.method ? path.exec(request.path) : null;
      if (!found) continue;
      const params = found.slice(1).map(decodeURIComponent);
      return json(200, await route(actingUser(request), params, request));
    }
    throw new Refusal(404, "M_UNRECOGNIZED", `no ${request.method} ${request.path}`);
  };
  const server = await startFakeServer(async (request) => {
    // The one question that takes no token.
    if (request.path === "/_matrix/client/versions") return json(200, { versions: ["v1.12"] });
    try {
      return await answerTo(request);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return json(error.status, { errcode: error.errcode, error: error.message });
    }
  });

  /** Synapse asks about a ghost that it does not know when it processes an invitation for it. */
  const askForGhosts = async (invited: readonly string[]): Promise<void> => {
    for (const userId of invited.filter((id) => isOurs(id) && !names.has(id))) {
      await pusher.call("GET", `/_matrix/app/v1/users/${encodeURIComponent(userId)}`).catch(() => undefined);
    }
  };

  const user = (localpart: string) => {
    const userId = `@${localpart}:${domain}`;
    if (!names.has(userId)) names.set(userId, localpart);
    const send = (roomId: string, type: string, content: Content, stateKey?: string): string =>
      rooms.send(userId, roomId, type, content, stateKey);
    return {
      userId,
      /** The name and picture from now on; the picture as the homeserver's media repository answers for it. */
      setProfile(name: string, mxc?: string, picture?: Answer): void {
        names.set(userId, name);
        if (mxc !== undefined) avatars.set(userId, mxc);
        if (mxc !== undefined && picture) thumbnails.set(mxc, picture);
      },
      /** As if the account had never been. */
      vanish: (): void => void names.delete(userId),
      createRoom(body: Parameters<typeof rooms.create>[1] = {}): string {
        void askForGhosts(body.invite ?? []);
        return rooms.create(userId, body);
      },
      invite(roomId: string, invited: string): void {
        void askForGhosts([invited]);
        rooms.invite(userId, roomId, invited);
      },
      join: (roomId: string): void => rooms.join(userId, roomId),
      /** Synapse asks the bridge for an alias of its namespace that it does not know. @returns the room ID. */
      async joinAlias(alias: string): Promise<string> {
        if (!aliases.has(alias)) {
          await pusher.call("GET", `/_matrix/app/v1/rooms/${encodeURIComponent(alias)}`);
        }
        const roomId = String(resolve(alias).room_id);
        rooms.join(userId, roomId);
        return roomId;
      },
      leave: (roomId: string): void => rooms.leave(userId, roomId),
      kick: (roomId: string, member: string): void => rooms.kick(userId, roomId, member),
      ban: (roomId: string, member: string): void => rooms.ban(userId, roomId, member),
      /** @returns the event ID. */
      send,
      sendText: (roomId: string, body: string): string =>
        send(roomId, "m.room.message", { msgtype: "m.text", body }),
      redact: (roomId: string, eventId: string): string => rooms.redact(userId, roomId, eventId),
      /** Everything that has happened in the room, oldest first. */
      timeline: (roomId: string): RoomEvent[] => rooms.history(userId, roomId),
      /** The bodies of the messages that others sent there, oldest first. */
      received: (roomId: string): string[] =>
        (rooms.all().find(({ id }) => id === roomId)?.events ?? [])
          .filter(({ type, sender }) => type === "m.room.message" && sender !== userId)
          .map(({ content }) => String(content.body)),
      invites: (): string[] => rooms.invitesOf(userId),
      accessToken: pushers.tokenOf(userId),
      pushers: () => pushers.of(userId),
      rooms: (): string[] => rooms.joinedBy(userId),
    };
  };

  return {
    ...server,
    domain,
    appserviceId,
    userPrefix,
    asToken,
    hsToken,
    bot,
    /** Points the registration at the bridge; without an address nothing is pushed. */
    connect(url: string | undefined): void {
      bridgeUrl = url;
      pusher.resume();
    },
    user,
    rooms,
    media,
    signals,
    /** The profile of anybody. */
    profile,
    directory,
    pushTransaction: pusher.pushTransaction,
    /** Any request of the homeserver to the bridge. */
    call: pusher.call,
    drained: pusher.drained,
    pause: pusher.pause,
    resume: pusher.resume,
    loseQueue: pusher.loseQueue,
    /** Ephemeral data, which goes along with the next transaction and is kept with it until that is taken. */
    tell: pusher.tell,
    setClock: (shiftMs: number): void => {
      clockShiftMs = shiftMs;
    },
    /** As a restart of Synapse does: what was sent under which transaction ID is no longer known. */
    forgetTransactions: cache.forget,
    async close(): Promise<void> {
      pusher.stop();
      await server.stop();
    },
  };
}
