/** The rooms of the stand-in homeserver: who is in them, what was said, and who may do what (room version 11 in little). */
import { randomUUID } from "node:crypto";

export type Content = Record<string, unknown>;

export interface RoomEvent {
  event_id: string;
  type: string;
  room_id: string;
  sender: string;
  state_key?: string;
  origin_server_ts: number;
  content: Content;
}

export interface Room {
  id: string;
  /** Oldest first. */
  events: RoomEvent[];
  /** The newest membership of each user that ever had one. */
  members: Map<string, string>;
}

/** What a client would be told: Client-Server API, "Standard error response". */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly errcode: string;
  constructor(status: number, errcode: string, message: string) {
    super(message);
    this.status = status;
    this.errcode = errcode;
  }
}

const forbidden = (message: string): Refusal => new Refusal(403, "M_FORBIDDEN", message);

export interface CreateOptions {
  preset?: string;
  name?: string;
  topic?: string;
  power_level_content_override?: Content;
  invite?: string[];
  is_direct?: boolean;
  initial_state?: { type: string; state_key?: string; content: Content }[];
}

const isSameReaction = ({ type, content }: RoomEvent, other: Content): boolean =>
  type === "m.reaction" && JSON.stringify(content["m.relates_to"]) === JSON.stringify(other["m.relates_to"]);

/**
 * @param onEvent told of each event once it is in its room.
 * @param now Unix time in milliseconds.
 */
export function createRooms(
  domain: string,
  onEvent: (event: RoomEvent, room: Room) => void,
  now: () => number = Date.now,
) {
  const rooms = new Map<string, Room>();

  const find = (roomId: string): Room => {
    const room = rooms.get(roomId);
    if (!room) throw forbidden(`${roomId} is unknown`);
    return room;
  };
  const add = (
    room: Room,
    sender: string,
    type: string,
    content: Content,
    stateKey?: string,
    sentAt = now(),
  ): string => {
    const event: RoomEvent = {
      event_id: `$${randomUUID().replaceAll("-", "")}`,
      type,
      room_id: room.id,
      sender,
      ...(stateKey !== undefined && { state_key: stateKey }),
      origin_server_ts: sentAt,
      content,
    };
    room.events.push(event);
    if (type === "m.room.member" && stateKey !== undefined) {
      room.members.set(stateKey, String(content.membership));
    }
    onEvent(event, room);
    return event.event_id;
  };
  const joined = (roomId: string, userId: string): Room => {
    const room = find(roomId);
    if (room.members.get(userId) !== "join") throw forbidden(`${userId} is not in ${roomId}`);
    return room;
  };
  const setMember = (room: Room, sender: string, member: string, content: Content): void =>
    void add(room, sender, "m.room.member", content, member);

  const invite = (sender: string, roomId: string, member: string, more: Content = {}): void => {
    const room = joined(roomId, sender);
    const now = room.members.get(member);
    if (now === "join" || now === "ban") throw forbidden(`${member} has membership ${now}`);
    if (now !== "invite") setMember(room, sender, member, { membership: "invite", ...more });
  };
  const remove =
    (membership: "leave" | "ban") =>
    (sender: string, roomId: string, member: string, reason?: string): void =>
      setMember(joined(roomId, sender), sender, member, {
        membership,
        ...(reason !== undefined && { reason }),
      });

  return {
    all: () => [...rooms.values()],

    create(creator: string, options: CreateOptions): string {
      const { invite: invited = [], is_direct, initial_state = [], preset, name, topic } = options;
      const room: Room = { id: `!${randomUUID()}:${domain}`, events: [], members: new Map() };
      rooms.set(room.id, room);
      add(room, creator, "m.room.create", { room_version: "11" }, "");
      setMember(room, creator, creator, { membership: "join" });
      if (preset === "public_chat") add(room, creator, "m.room.join_rules", { join_rule: "public" }, "");
      const levels = options.power_level_content_override;
      if (levels) add(room, creator, "m.room.power_levels", { users: { [creator]: 100 }, ...levels }, "");
      if (name !== undefined) add(room, creator, "m.room.name", { name }, "");
      if (topic !== undefined) add(room, creator, "m.room.topic", { topic }, "");
      for (const { type, state_key = "", content } of initial_state) {
        add(room, creator, type, content, state_key);
      }
      for (const member of invited) invite(creator, room.id, member, is_direct ? { is_direct } : {});
      return room.id;
    },
    join(userId: string, roomId: string): void {
      const room = find(roomId);
      const now = room.members.get(userId);
      if (now === "join") return;
      const rules = room.events.findLast(({ type }) => type === "m.room.join_rules");
      const isOpen = now !== "ban" && rules?.content.join_rule === "public";
      if (now !== "invite" && !isOpen) throw forbidden(`${userId} is not invited to ${roomId}`);
      setMember(room, userId, userId, { membership: "join" });
    },
    leave(userId: string, roomId: string, reason?: string): void {
      const room = find(roomId);
      const now = room.members.get(userId);
      if (now !== "join" && now !== "invite") throw forbidden(`${userId} is not in ${roomId}`);
      setMember(room, userId, userId, { membership: "leave", ...(reason !== undefined && { reason }) });
    },
    invite,
    kick: remove("leave"),
    ban: remove("ban"),
    unban: remove("leave"),
    send(
      sender: string,
      roomId: string,
      type: string,
      content: Content,
      stateKey?: string,
      sentAt?: number,
    ): string {
      const room = joined(roomId, sender);
      if (
        type === "m.reaction" &&
        room.events.some((e) => e.sender === sender && isSameReaction(e, content))
      ) {
        throw new Refusal(400, "M_DUPLICATE_ANNOTATION", "Can't send same reaction twice");
      }
      return add(room, sender, type, content, stateKey, sentAt);
    },
    /** Takes the event's content away. */
    redact(sender: string, roomId: string, eventId: string, reason?: string): string {
      const room = joined(roomId, sender);
      const event = room.events.find(({ event_id }) => event_id === eventId);
      if (event) event.content = {};
      return add(room, sender, "m.room.redaction", {
        redacts: eventId,
        ...(reason !== undefined && { reason }),
      });
    },
    event(userId: string, roomId: string, eventId: string): RoomEvent {
      const found = joined(roomId, userId).events.find(({ event_id }) => event_id === eventId);
      if (!found) throw new Refusal(404, "M_NOT_FOUND", `${roomId} has no ${eventId}`);
      return found;
    },
    reactions: (userId: string, roomId: string, eventId: string): RoomEvent[] =>
      joined(roomId, userId).events.filter(({ type, content }) => {
        const relation = content["m.relates_to"] as Content | undefined;
        return type === "m.reaction" && relation?.event_id === eventId;
      }),
    /** The newest state event of a type with an empty key. */
    state(userId: string, roomId: string, type: string): Content {
      const found = joined(roomId, userId).events.findLast((e) => e.type === type && e.state_key === "");
      if (!found) throw new Refusal(404, "M_NOT_FOUND", `${roomId} has no ${type}`);
      return found.content;
    },
    /** The newest state event of each type and key. */
    fullState(userId: string, roomId: string): RoomEvent[] {
      const state = joined(roomId, userId).events.filter(({ state_key }) => state_key !== undefined);
      return [...new Map(state.map((event) => [`${event.type} ${event.state_key}`, event])).values()];
    },
    /** What has happened, oldest first, for whoever was there once. */
    history(userId: string, roomId: string): RoomEvent[] {
      const room = find(roomId);
      if (!room.events.some((e) => e.state_key === userId && e.content.membership === "join")) {
        throw forbidden(`${userId} was never in ${roomId}`);
      }
      return room.events;
    },
    joinedBy: (userId: string): string[] =>
      [...rooms.values()].filter(({ members }) => members.get(userId) === "join").map(({ id }) => id),
    invitesOf: (userId: string): string[] =>
      [...rooms.values()].filter(({ members }) => members.get(userId) === "invite").map(({ id }) => id),
  };
}
