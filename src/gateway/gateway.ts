/** Matrix rooms as XMPP users enter them: whatever they send to the address of one, and whatever happens in there. */
import type { FromXmpp } from "../bridge/from-xmpp.ts";
import { createLocks } from "../bridge/locks.ts";
import type { MessageParts } from "../bridge/message-parts.ts";
import type { RoomStates } from "../bridge/room-state.ts";
import type { Traffic } from "../bridge/traffic.ts";
import { isServiceAllowed, levelOf, mayOpen } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import { createRateLimit } from "../http/rate-limit.ts";
import type { MatrixClient, Profile } from "../matrix/client.ts";
import type { Ephemeral } from "../matrix/ephemeral.ts";
import type { MatrixEvent } from "../matrix/event.ts";
import type { EventId, RoomId, UserId } from "../matrix/ids.ts";
import type { Guest } from "../store/room-records.ts";
import type { Store } from "../store/store.ts";
import { type BareJid, bareOf, type Jid, resourceOf } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/stanza.ts";
import { createAbsence } from "./absence.ts";
import { createArrival } from "./arrival.ts";
import { createDeparture } from "./departure.ts";
import { createFloods } from "./floods.ts";
import { createHistory } from "./history.ts";
import { createHostedRooms } from "./hosted-rooms.ts";
import { createMemberEvents } from "./member-events.ts";
import { createMembership } from "./membership.ts";
import { createMoving } from "./moving.ts";
import { createOccupancy } from "./occupancy.ts";
import { createOriginals } from "./originals.ts";
import { createPresences } from "./presences.ts";
import { createRollCall } from "./roll-call.ts";
import { createRoomEvents } from "./room-events.ts";
import { createSaid } from "./said.ts";
import { answerPing, isPing } from "./self-ping.ts";
import { createServices, type ServicesDeps } from "./services.ts";
import { createTalk } from "./talk.ts";
import { createTyping } from "./typing.ts";
import { createWelcome } from "./welcome.ts";

export interface GatewayDeps extends Omit<ServicesDeps, "rooms" | "onPicture" | "permits"> {
  component: BareJid;
  config: Config["rooms"];
  matrix: MatrixClient;
  roomStates: RoomStates;
  messages: MessageParts;
  sendOnce: FromXmpp["sendOnce"];
  /** Has a message to a Matrix user go the way of direct conversations. */
  writeDirect: FromXmpp["handle"];
  profileOf(userId: UserId): Promise<Profile | undefined>;
  store: Store;
  /** Whether typing crosses. */
  showsTyping: boolean;
  now: () => number;
}

export interface Gateway extends Traffic {
  /** Whether an XMPP user may enter rooms at all. */
  permits(jid: BareJid): boolean;
  /** Whether guests are in the room. */
  isHosted(roomId: RoomId): boolean;
  /** Who speaks for the guests: the bot where it is in the room, else one of their ghosts; undefined without guests. */
  hostOf(roomId: RoomId): Promise<UserId | undefined>;
  /** Whether an address is one of a Matrix room. */
  isRoom(jid: Jid): boolean;
  /** Answers an IQ of type get or set to a room or an occupant of one. */
  answerIq(request: Element): Promise<Element>;
  /** The room is linked with one of XMPP now: guests are sent there. */
  moveGuests(roomId: RoomId, muc: BareJid): Promise<void>;
  /** Guests who were blocked since they came are out. */
  putOutBlocked(): Promise<void>;
  /** Takes what the homeserver tells and nobody stores. */
  takeEphemeral(items: readonly Ephemeral[]): void;
  /** A Matrix user has invited an XMPP user into a room with others. */
  onGhostInvited(event: MatrixEvent): Promise<void>;
  prosodyStarted(): void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** How long a client may be away, as after a restart of its server, without leaving the rooms that it is in. */
const graceMs = 3 * 60_000;

const laneOf = ({ attrs }: Element): string => `xmpp ${bareOf(attrs.from)} ${bareOf(attrs.to)}`;

export function createGateway(deps: GatewayDeps): Gateway {
  const { addresses, permissions, config, matrix, messages, store, now, log } = deps;
  const { lazyAbove, powerLevels, historyMessages } = config;
  const isRoom = (jid: Jid): boolean => addresses.roomOfJid(bareOf(jid)) !== undefined;

  const permits = (jid: BareJid): boolean => mayOpen(config, levelOf(permissions, jid), "gateway");
  const onUnreachable = (guest: Guest): void => absence.begin(guest);
  const locks = createLocks();
  const originals = createOriginals();
  const known = new WeakMap<Guest, Set<EventId>>();
  const said = createSaid({ isGhost: addresses.isGhost, toXmpp: messages.toXmpp });
  const rooms = createHostedRooms({ ...deps, powerLevels, said, onUnreachable });
  /** Wherever guests see the member. */
  const onPicture = (userId: UserId): void => {
    for (const roomId of rooms.hosted()) {
      const show = async (): Promise<void> => {
        if (!(await rooms.roster(roomId)).shown.has(userId)) return;
        await occupancy.tell(roomId, userId);
      };
      locks.run(roomId, show).catch((error) => log.info("a picture was not told", { room: roomId, error }));
    }
  };
  const services = createServices({ ...deps, rooms, permits, onPicture });
  const occupancy = createOccupancy({ rooms, pictures: services.pictures });
  const membership = createMembership(deps);
  const departure = createDeparture({ rooms, locks, occupancy, matrix, log });
  const absence = createAbsence({ rooms, locks, departure, store, graceMs, log });
  const leave = departure.leaveMatrix;
  const isFlood = createFloods(now);
  const shared = { ...deps, rooms, locks, occupancy, membership, leave, onUnreachable, isFlood };
  const history = createHistory({ matrix, messages: historyMessages, now });
  const enter = createArrival({
    ...shared,
    permits,
    allowsServer: (server) => isServiceAllowed(config.homeservers, server),
    maxRooms: config.maxPerUser,
    welcome: createWelcome({ rooms, occupancy, history, known, lazyAbove, log }),
    // Clients enter all their rooms as soon as they are there.
    entries: createRateLimit({ points: 3 * config.maxPerUser, seconds: 60 }),
  });
  const presences = createPresences({ ...shared, departure, enter });
  const typing = createTyping(shared);
  const talk = createTalk({ ...shared, ...messages, said, originals, typing });
  const members = createMemberEvents({
    ...shared,
    lazyAbove,
    wasLost: departure.wasLost,
    onPicture: services.pictures.note,
    onGhostInvited: services.onGhostInvited,
  });
  const moving = createMoving(shared);
  const tell = createRoomEvents({ ...shared, said, originals, members, moving, known });
  const rollCall = createRollCall(shared);

  /** Those who were blocked since they came. To be called with the room's lock. */
  const putOutBlocked = async (roomId: RoomId): Promise<void> => {
    for (const guest of rooms.guestsOf(roomId)) {
      if (!permits(bareOf(guest.jid))) await departure.putOut(guest, "You may not use this bridge.");
    }
  };

  return {
    permits,
    isHosted: rooms.isHosted,
    async hostOf(roomId) {
      const [guest] = rooms.guestsOf(roomId);
      if (!guest) return undefined;
      const { members } = await rooms.of(roomId).state();
      return members.get(addresses.botUserId)?.membership === "join" ? addresses.botUserId : guest.ghost;
    },
    isRoom,
    answerIq: async (request) => (isPing(request) ? answerPing(request, rooms) : services.answerIq(request)),

    concerns: (stanza) => isRoom(stanza.attrs.to as Jid) || services.isInvitation(stanza),
    laneOf,
    async onStanza(stanza, attempt) {
      const { to, type } = stanza.attrs;
      const guest = rooms.guestAt(bareOf(to), stanza.attrs.from);
      if (guest && !permits(bareOf(guest.jid)))
        await locks.run(guest.roomId, () => putOutBlocked(guest.roomId));
      if (stanza.name === "presence") return presences.handle(stanza, attempt);
      if (services.isInvitation(stanza)) return services.onInvitation(stanza, attempt);
      if (type === "error" && guest) {
        const isGone = await presences.onError(stanza);
        return isGone ? undefined : talk.onBounce(stanza, guest, attempt);
      }
      if (type === "error" && resourceOf(to) !== undefined) return;
      if (type === "groupchat") return talk.onGroupchat(stanza, attempt);
      if (resourceOf(to) !== undefined) return talk.onPrivate(stanza, attempt);
      await services.onMessage(stanza, attempt);
    },

    hasRoom: rooms.isHosted,
    takes: () => true,
    showsCommands: true,
    mayRefuse: () => true,
    onEvent: (event) =>
      locks.run(event.room_id, async () => {
        await putOutBlocked(event.room_id);
        // The last one may have left while it waited.
        if (rooms.guestsOf(event.room_id).length > 0) await tell(event);
      }),
    readerOf: rooms.readerOf,

    moveGuests: (roomId, muc) =>
      locks.run(roomId, () =>
        moving.sendOn(rooms.of(roomId), { jid: muc, reason: `This room is ${muc} now.` }),
      ),
    async putOutBlocked() {
      for (const roomId of rooms.hosted()) await locks.run(roomId, () => putOutBlocked(roomId));
    },
    takeEphemeral: typing.take,
    onGhostInvited: services.onGhostInvited,
    prosodyStarted: rollCall.begin,
    async start() {
      await rooms.load();
      rollCall.begin();
    },
    async stop() {
      await rollCall.stop();
      await absence.stop();
    },
  };
}
