/** Who asks a hosted room for something, and what of the room they may know. */
import { createHash } from "node:crypto";
import { failureOf } from "../bridge/failure.ts";
import type { RoomState } from "../bridge/room-state.ts";
import { isModerated, mayAllSetTopic } from "../mapping/room-config.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Guest } from "../store/room-records.ts";
import type { Ghosts as StoredGhosts } from "../store/store.ts";
import { IqRefusal } from "../xmpp/iq-answer.ts";
import type { BareJid, FullJid, Jid } from "../xmpp/jid.ts";
import type { Element, StanzaError } from "../xmpp/stanza.ts";
import type { Photo } from "../xmpp/vcard.ts";
import type { HostedRoom } from "./hosted-room.ts";

export interface Question {
  request: Element;
  payload: Element;
  /** The room, as the asker calls it. */
  address: BareJid;
  from: Jid;
  /** The same without resource. */
  jid: BareJid;
  ghost: UserId;
  /** The client that asks, where it has entered the room. */
  guest: Guest | undefined;
  room: HostedRoom;
  /** Servers that are in the room. */
  servers: readonly string[];
}

/** The payload of the result, undefined for an empty one. @throws IqRefusal, MatrixError. */
export type RoomAnswer = (question: Question) => Promise<Element | undefined>;
/** By type, namespace and name of the question, such as "get urn:xmpp:ping ping". */
export type RoomAnswers = Record<string, RoomAnswer>;

/** What somebody may know of a room without being in it. */
export interface RoomProfile {
  roomId: RoomId;
  name: string | undefined;
  topic: string | undefined;
  avatarUrl: string | undefined;
  joinRule: string;
  members: number | undefined;
  /** Anybody may know of it. */
  isPublic: boolean;
  /** Anybody may know who is in there. */
  isOpen: boolean;
  isModerated: boolean;
  mayChangeTopic: boolean | undefined;
  /** Of the asker. */
  membership: string | undefined;
}

export const refusalOf = ({ type, condition, text }: StanzaError): IqRefusal =>
  new IqRefusal(type, condition, text);

/** What the homeserver does not allow is refused as XEP-0045 has it; what it cannot do now, as that. */
export function asRefusal(error: unknown): unknown {
  if (!(error instanceof MatrixError)) return error;
  const { type, condition, sentence } = failureOf(error);
  if (error.status === 403) return new IqRefusal("auth", "forbidden", "The Matrix room does not allow that.");
  return new IqRefusal(type, condition, sentence);
}

/** The room, as one who is in it may see it. @throws IqRefusal for others. */
export async function stateFor({ room, ghost }: Question): Promise<RoomState> {
  const refusal = new IqRefusal("auth", "forbidden", "Enter the room first.");
  if (room.guests().length === 0) throw refusal;
  const state = await room.state();
  if (state.members.get(ghost)?.membership !== "join") throw refusal;
  return state;
}

const isForAnyone = (joinRule: string): boolean => joinRule === "public" || /^knock/.test(joinRule);

const profileOfState = (state: RoomState, ghost: UserId): RoomProfile => ({
  roomId: state.roomId,
  name: state.name ?? state.canonicalAlias,
  topic: state.topic,
  avatarUrl: state.avatarUrl,
  joinRule: state.joinRule,
  members: [...state.members.values()].filter(({ membership }) => membership === "join").length,
  isPublic: isForAnyone(state.joinRule) || state.historyVisibility === "world_readable",
  isOpen: state.joinRule === "public" || state.historyVisibility === "world_readable",
  isModerated: isModerated(state.powerLevels),
  mayChangeTopic: mayAllSetTopic(state.powerLevels),
  membership: state.members.get(ghost)?.membership,
});

export interface ProfilesDeps {
  bot: UserId;
  matrix: Pick<MatrixClient, "roomSummary">;
  ghosts: Pick<StoredGhosts, "jidOf">;
}

/** COMPAT(homeservers without room summaries): whoever knows an alias knows that there is a room. */
const unseen = ({ room, address }: Question): RoomProfile | undefined =>
  address.startsWith("#")
    ? {
        roomId: room.roomId,
        name: undefined,
        topic: undefined,
        avatarUrl: undefined,
        joinRule: "public",
        members: undefined,
        isPublic: true,
        isOpen: false,
        isModerated: false,
        mayChangeTopic: undefined,
        membership: undefined,
      }
    : undefined;

/** @returns undefined for rooms of which the asker is to know nothing. */
export function createProfiles({ bot, matrix, ghosts }: ProfilesDeps) {
  const summaryAs = async (as: UserId, { room, servers }: Question): Promise<RoomProfile | undefined> => {
    const summary = await matrix.roomSummary(as, room.roomId, servers);
    return (
      summary && {
        roomId: room.roomId,
        name: summary.name ?? summary.canonicalAlias,
        topic: summary.topic,
        avatarUrl: summary.avatarUrl,
        joinRule: summary.joinRule,
        members: summary.members,
        isPublic: isForAnyone(summary.joinRule) || summary.isWorldReadable,
        isOpen: summary.joinRule === "public" || summary.isWorldReadable,
        isModerated: false,
        mayChangeTopic: undefined,
        membership: as === bot ? undefined : summary.membership,
      }
    );
  };

  return async (question: Question): Promise<RoomProfile | undefined> => {
    const { room, ghost } = question;
    if (room.guests().length > 0) {
      const profile = profileOfState(await room.state(), ghost);
      const isTheirs = profile.membership === "join" || profile.membership === "invite";
      return profile.isPublic || isTheirs ? profile : undefined;
    }
    try {
      // The bot may be in rooms that are nobody's business.
      const asBot = await summaryAs(bot, question);
      if (asBot?.isPublic) return asBot;
      return (await ghosts.jidOf(ghost)) ? await summaryAs(ghost, question) : undefined;
    } catch (error) {
      if (error instanceof MatrixError && error.errcode === "M_UNRECOGNIZED") return unseen(question);
      throw error;
    }
  };
}

export const sha1 = (photo: Photo): string => createHash("sha1").update(photo.bytes).digest("hex");

/** The client to which results go. @throws IqRefusal for servers and the like, which have none. */
export const clientOf = ({ from }: Question): FullJid => {
  if (!from.includes("/")) throw new IqRefusal("modify", "bad-request", "This is for clients.");
  return from as FullJid;
};
