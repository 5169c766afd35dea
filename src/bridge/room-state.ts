/** Rooms of Matrix as they are now: read once, kept up to date by the events that the homeserver pushes. */
import { LRUCache } from "lru-cache";
import { levelOfUser, numberIn } from "../mapping/affiliations.ts";
import { referencesOfEvent } from "../mapping/references.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { type Content, type MatrixEvent, readString } from "../matrix/event.ts";
import { type EventId, parseRoomId, type RoomAlias, type RoomId, type UserId } from "../matrix/ids.ts";

export interface RoomMember {
  membership: string;
  displayName: string | undefined;
  avatarUrl: string | undefined;
}

export interface RoomState {
  roomId: RoomId;
  name: string | undefined;
  topic: string | undefined;
  avatarUrl: string | undefined;
  canonicalAlias: RoomAlias | undefined;
  /** "invite" where nothing is said. */
  joinRule: string;
  /** "shared" where nothing is said. */
  historyVisibility: string;
  isEncrypted: boolean;
  /** Where the room is continued. */
  successor: RoomId | undefined;
  /** The content of `m.room.power_levels`, {} where there is none. */
  powerLevels: Content;
  /** Everyone of whom the room knows, those who left included. */
  members: ReadonlyMap<UserId, RoomMember>;
  /** The content of a state event with an empty state key. */
  contentOf(type: string): Content | undefined;
  /** Who has set that content, and when, in Unix milliseconds. */
  setBy(type: string): { userId: UserId; at: number } | undefined;
  /** Infinite for creators of rooms of version 12 and later. */
  levelOf(userId: UserId): number;
  /** Whether their level allows it; somebody above them they can do nothing to. */
  may(userId: UserId, action: "invite" | "kick" | "ban" | "redact", to?: UserId): boolean;
  maySetState(userId: UserId, type: string): boolean;
}

export interface RoomStates {
  /**
   * @param reader a ghost or the bot, who is in the room.
   * @throws MatrixError where the reader may not see it.
   */
  of(reader: UserId, roomId: RoomId): Promise<RoomState>;
  /** What is remembered of the room; undefined where nothing is. */
  known(roomId: RoomId): RoomState | undefined;
  /** Takes in what has changed; to be called with every event that comes, of whomever. */
  note(event: MatrixEvent): void;
  /** Events may have been lost: whatever is remembered may be old. */
  doubt(roomId?: RoomId): void;
}

/** Rooms of these versions have creators without a power level (Matrix v1.16, room version 12). */
const hasFewerPowers = new Set(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]);
const usualLevels = { invite: 0, kick: 50, ban: 50, redact: 50 };

const keyOf = ({ type, state_key }: Pick<MatrixEvent, "type" | "state_key">): string =>
  `${type}\n${state_key}`;

const readMember = (content: Content): RoomMember => ({
  membership: readString(content, "membership") ?? "leave",
  displayName: readString(content, "displayname"),
  avatarUrl: readString(content, "avatar_url"),
});

class StateOfRoom implements RoomState {
  readonly roomId: RoomId;
  readonly members = new Map<UserId, RoomMember>();
  readonly #events = new Map<string, MatrixEvent>();
  readonly #memberEvents = new Map<UserId, EventId>();

  constructor(roomId: RoomId, events: readonly MatrixEvent[]) {
    this.roomId = roomId;
    for (const event of events) this.set(event);
  }

  set(event: MatrixEvent): void {
    if (event.type === "m.room.member") {
      this.members.set(event.state_key as UserId, readMember(event.content));
      this.#memberEvents.set(event.state_key as UserId, event.event_id);
      return;
    }
    this.#events.set(keyOf(event), event);
  }

  isOf(eventId: EventId): boolean {
    for (const { event_id } of this.#events.values()) if (event_id === eventId) return true;
    for (const event_id of this.#memberEvents.values()) if (event_id === eventId) return true;
    return false;
  }

  contentOf(type: string): Content | undefined {
    return this.#events.get(keyOf({ type, state_key: "" }))?.content;
  }

  setBy(type: string): { userId: UserId; at: number } | undefined {
    const event = this.#events.get(keyOf({ type, state_key: "" }));
    return event && { userId: event.sender, at: event.origin_server_ts };
  }

  #text(type: string, key: string): string | undefined {
    return readString(this.contentOf(type) ?? {}, key) || undefined;
  }

  get name(): string | undefined {
    return this.#text("m.room.name", "name");
  }
  get topic(): string | undefined {
    return this.#text("m.room.topic", "topic");
  }
  get avatarUrl(): string | undefined {
    return this.#text("m.room.avatar", "url");
  }
  get canonicalAlias(): RoomAlias | undefined {
    return this.#text("m.room.canonical_alias", "alias") as RoomAlias | undefined;
  }
  get joinRule(): string {
    return this.#text("m.room.join_rules", "join_rule") ?? "invite";
  }
  get historyVisibility(): string {
    return this.#text("m.room.history_visibility", "history_visibility") ?? "shared";
  }
  get isEncrypted(): boolean {
    return this.contentOf("m.room.encryption") !== undefined;
  }
  get successor(): RoomId | undefined {
    return parseRoomId(this.#text("m.room.tombstone", "replacement_room") ?? "");
  }
  get powerLevels(): Content {
    return this.contentOf("m.room.power_levels") ?? {};
  }

  #isCreator(userId: UserId): boolean {
    const create = this.#events.get(keyOf({ type: "m.room.create", state_key: "" }));
    if (!create) return false;
    const version = readString(create.content, "room_version") ?? "1";
    const more = create.content.additional_creators;
    if (hasFewerPowers.has(version)) {
      // Without any power levels the creator has all power (Client-Server API v1.15, "m.room.power_levels").
      return create.sender === userId && this.contentOf("m.room.power_levels") === undefined;
    }
    return create.sender === userId || (Array.isArray(more) && more.includes(userId));
  }

  levelOf(userId: UserId): number {
    return this.#isCreator(userId) ? Number.POSITIVE_INFINITY : levelOfUser(this.powerLevels, userId);
  }

  may(userId: UserId, action: "invite" | "kick" | "ban" | "redact", to?: UserId): boolean {
    const level = this.levelOf(userId);
    const needed = numberIn(this.powerLevels, action) ?? usualLevels[action];
    return level >= needed && (to === undefined || level > this.levelOf(to));
  }

  maySetState(userId: UserId, type: string): boolean {
    const levels = this.powerLevels;
    const isSet = this.contentOf("m.room.power_levels") !== undefined;
    const needed = numberIn(levels.events, type) ?? numberIn(levels, "state_default") ?? (isSet ? 50 : 0);
    return this.levelOf(userId) >= needed;
  }
}

/** @param matrix with which rooms are read. */
export function createRoomStates({ matrix }: { matrix: Pick<MatrixClient, "fullState"> }): RoomStates {
  const rooms = new LRUCache<RoomId, StateOfRoom>({ max: 1000 });
  /** Rooms that are being read, with what has come meanwhile. */
  const reading = new Map<RoomId, { done: Promise<StateOfRoom>; meanwhile: MatrixEvent[] }>();

  const apply = (state: StateOfRoom, event: MatrixEvent): void => {
    const { redacts } = referencesOfEvent(event);
    if (event.state_key !== undefined) state.set(event);
    // What is left of it depends on the room's version.
    else if (redacts && state.isOf(redacts)) rooms.delete(state.roomId);
  };

  const read = async (reader: UserId, roomId: RoomId, meanwhile: MatrixEvent[]): Promise<StateOfRoom> => {
    const isLast = (): boolean => reading.get(roomId)?.meanwhile === meanwhile;
    try {
      const state = new StateOfRoom(roomId, await matrix.fullState(reader, roomId));
      if (isLast()) rooms.set(roomId, state);
      for (const event of meanwhile) apply(state, event);
      return state;
    } finally {
      if (isLast()) reading.delete(roomId);
    }
  };

  return {
    async of(reader, roomId) {
      const known = rooms.get(roomId);
      if (known) return known;
      const underWay = reading.get(roomId);
      if (underWay) return underWay.done;
      const meanwhile: MatrixEvent[] = [];
      const done = read(reader, roomId, meanwhile);
      reading.set(roomId, { done, meanwhile });
      return done;
    },

    known: (roomId) => rooms.peek(roomId),

    note(event) {
      const known = rooms.get(event.room_id);
      if (known) apply(known, event);
      reading.get(event.room_id)?.meanwhile.push(event);
    },

    doubt(roomId) {
      for (const kept of [rooms, reading]) {
        if (roomId === undefined) kept.clear();
        else kept.delete(roomId);
      }
    },
  };
}
