/** A Matrix user with a real sync loop on the other side of the bridge, for tests and nothing else. */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { createInbox, type Inbox } from "./inbox.ts";
import { readSync, type SyncEvent } from "./matrix-sync.ts";

export interface MatrixUser {
  userId: string;
  /** Any client-server call as this user; `path` from `/_matrix` on. Rejects unless the status is 2xx. */
  request: (method: string, path: string, body?: unknown) => Promise<Record<string, unknown>>;
  createRoom: (options?: Record<string, unknown>) => Promise<string>;
  invite: (roomId: string, userId: string) => Promise<void>;
  /** Joins by room ID or alias and resolves with the room ID. */
  join: (room: string) => Promise<string>;
  leave: (roomId: string) => Promise<void>;
  /** Resolves with the event ID. */
  send: (roomId: string, type: string, content: Record<string, unknown>) => Promise<string>;
  sendText: (roomId: string, body: string) => Promise<string>;
  sendState: (
    roomId: string,
    type: string,
    content: Record<string, unknown>,
    key?: string,
  ) => Promise<string>;
  /** All timeline events of all joined rooms, oldest first per room. */
  events: SyncEvent[];
  waitFor: Inbox<SyncEvent>["waitFor"];
  /** Typing, receipts (with `room_id`) and presence (with `sender`). */
  ephemeral: SyncEvent[];
  waitForEphemeral: Inbox<SyncEvent>["waitFor"];
  /** Rooms that the user is invited to now. */
  invites: Set<string>;
  joinedRooms: Set<string>;
  /** Resolves with the ID of the first room to which an invite from this user comes or has come. */
  waitForInvite: (from: string, timeoutMs?: number) => Promise<string>;
  stop: () => Promise<void>;
}

interface MatrixAccount {
  url: string;
  accessToken: string;
  userId: string;
  /** What syncing does to the user's presence. Default: "offline", that is, nothing. */
  presence?: "online" | "unavailable" | "offline";
}

const room = (id: string) => `/_matrix/client/v3/rooms/${encodeURIComponent(id)}`;
const describe = (event: SyncEvent) => JSON.stringify(event);

function createCaller({ url, accessToken }: MatrixAccount) {
  return async (method: string, path: string, body?: unknown, signal?: AbortSignal) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${accessToken}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Record<string, unknown>;
  };
}

/** Resolves after the first sync, so nothing that happens from then on is missed. */
export async function createMatrixUser(account: MatrixAccount): Promise<MatrixUser> {
  const { userId, presence = "offline" } = account;
  const call = createCaller(account);
  const timeline = createInbox<SyncEvent>(userId, describe);
  const ephemeral = createInbox<SyncEvent>(userId, describe);
  const inviting = createInbox<SyncEvent>(userId, describe);
  const invites = new Set<string>();
  const joinedRooms = new Set<string>();
  const stopped = new AbortController();

  // A limited timeline would drop events silently.
  const filter = JSON.stringify({ room: { timeline: { limit: 1_000 } } });
  async function sync(since?: string): Promise<string> {
    const query = new URLSearchParams({ filter, set_presence: presence });
    if (since !== undefined) query.set("since", since);
    query.set("timeout", since === undefined ? "0" : "20000");
    const body = await call("GET", `/_matrix/client/v3/sync?${query}`, undefined, stopped.signal);
    const news = readSync(body);
    for (const id of [...news.joined, ...news.left]) invites.delete(id);
    for (const id of news.joined) joinedRooms.add(id);
    for (const id of news.left) joinedRooms.delete(id);
    for (const invite of news.invites) invites.add(invite.room_id);
    for (const invite of news.invites) inviting.add(invite);
    for (const event of news.timeline) timeline.add(event);
    for (const event of news.ephemeral) ephemeral.add(event);
    return news.nextBatch;
  }

  async function follow(from: string): Promise<void> {
    let since = from;
    while (!stopped.signal.aborted) {
      try {
        since = await sync(since);
      } catch {
        // A test may restart the homeserver; the loop goes on where it was, but keeps no finished test alive.
        await delay(100, undefined, { signal: stopped.signal, ref: false }).catch(() => {});
      }
    }
  }

  const following = follow(await sync());
  const put = async (path: string, content: unknown) => String((await call("PUT", path, content)).event_id);
  const send: MatrixUser["send"] = (roomId, type, content) =>
    put(`${room(roomId)}/send/${encodeURIComponent(type)}/${randomUUID()}`, content);

  return {
    userId,
    request: call,
    createRoom: async (options = {}) =>
      String((await call("POST", "/_matrix/client/v3/createRoom", options)).room_id),
    invite: async (roomId, invited) => {
      await call("POST", `${room(roomId)}/invite`, { user_id: invited });
    },
    join: async (target) =>
      String((await call("POST", `/_matrix/client/v3/join/${encodeURIComponent(target)}`, {})).room_id),
    leave: async (roomId) => {
      await call("POST", `${room(roomId)}/leave`, {});
    },
    send,
    sendText: (roomId, body) => send(roomId, "m.room.message", { msgtype: "m.text", body }),
    sendState: (roomId, type, content, key = "") =>
      put(`${room(roomId)}/state/${encodeURIComponent(type)}/${encodeURIComponent(key)}`, content),
    events: timeline.items,
    waitFor: timeline.waitFor,
    ephemeral: ephemeral.items,
    waitForEphemeral: ephemeral.waitFor,
    invites,
    joinedRooms,
    waitForInvite: async (from, timeoutMs) =>
      (await inviting.waitFor(({ sender }) => sender === from, timeoutMs)).room_id,
    stop: async () => {
      stopped.abort();
      await following;
    },
  };
}
