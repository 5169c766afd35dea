/** Flattens an answer of GET /_matrix/client/v3/sync (Matrix v1.11, 6.4) into what a test waits for. */
export interface SyncEvent {
  type: string;
  /** Empty for presence. */
  room_id: string;
  sender: string;
  event_id?: string;
  state_key?: string;
  content: Record<string, unknown>;
  unsigned?: Record<string, unknown>;
  redacts?: string;
  origin_server_ts?: number;
}

export interface SyncNews {
  nextBatch: string;
  timeline: SyncEvent[];
  ephemeral: SyncEvent[];
  /** The member events that invite the syncing user; stripped state. */
  invites: SyncEvent[];
  joined: string[];
  left: string[];
}

interface EventList {
  events?: Omit<SyncEvent, "room_id">[];
}
interface SyncAnswer {
  next_batch: string;
  presence?: EventList;
  rooms?: {
    join?: Record<string, { timeline?: EventList; ephemeral?: EventList }>;
    leave?: Record<string, { timeline?: EventList }>;
    invite?: Record<string, { invite_state?: EventList }>;
  };
}

function eventsIn(roomId: string, list: EventList | undefined): SyncEvent[] {
  return (list?.events ?? []).map((event) => ({ ...event, room_id: roomId }));
}

function isInvite({ type, content }: SyncEvent): boolean {
  return type === "m.room.member" && content.membership === "invite";
}

/** The homeserver is trusted in tests, so its answer is taken at its word. */
export function readSync(body: Record<string, unknown>): SyncNews {
  const { next_batch, presence, rooms = {} } = body as unknown as SyncAnswer;
  const joined = Object.entries(rooms.join ?? {});
  const left = Object.entries(rooms.leave ?? {});
  const invited = Object.entries(rooms.invite ?? {});
  return {
    nextBatch: next_batch,
    timeline: [...joined, ...left].flatMap(([id, news]) => eventsIn(id, news.timeline)),
    ephemeral: [...joined.flatMap(([id, news]) => eventsIn(id, news.ephemeral)), ...eventsIn("", presence)],
    // The invite of the syncing user comes last of the stripped members.
    invites: invited.flatMap(([id, news]) => eventsIn(id, news.invite_state).filter(isInvite).slice(-1)),
    joined: joined.map(([id]) => id),
    left: left.map(([id]) => id),
  };
}
