/** What a Matrix user of a scenario acts in and upon. */
import type { SyncEvent } from "../servers/matrix-sync.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";

export interface MatrixScene {
  user: MatrixUser;
  /** The scenario's room, once it is made. */
  roomId: string;
  setRoom: (roomId: string) => void;
  /** The MXID of whom a script calls by name: a ghost, or a Matrix user. */
  mxidOf: (name: string) => Promise<string>;
  /** Keeps a value for later lines. */
  keep: (name: string, value: string) => void;
  /** Unique to the run of a scenario: the local part of its alias. */
  alias: string;
  /** Says something in the room and resolves when this user has it back. */
  mark: () => Promise<void>;
  /** The direct chat that a Matrix user has accepted. */
  chat: { roomId: string };
  /** The events that scripts have named so far. */
  seen: Set<object>;
}

/** @param words what the pattern of the action found. */
export type Action = (scene: MatrixScene, ...words: string[]) => Promise<unknown>;

export const waitMs = 15_000;

/** The first event that matches and that no earlier line has seen. */
export async function see(scene: MatrixScene, matches: (event: SyncEvent) => boolean): Promise<SyncEvent> {
  const { user, roomId, seen } = scene;
  const isNew = (event: SyncEvent): boolean => event.room_id === roomId && !seen.has(event);
  const event = await user
    .waitFor((candidate) => isNew(candidate) && matches(candidate), waitMs)
    .catch(() => {
      const lines = user.events
        .filter(isNew)
        .map(({ type, sender, content }) => `  ${sender} ${type} ${JSON.stringify(content)}`);
      throw new Error(["not seen; there is", ...lines].join("\n"));
    });
  seen.add(event);
  return event;
}

export const eventsOf = ({ user, roomId }: MatrixScene): SyncEvent[] =>
  user.events.filter((event) => event.room_id === roomId);
