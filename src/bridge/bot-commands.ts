/** The commands about rooms, people and the bridge itself, with all that they need, put together. */
import type { ProcessInfo } from "../cluster/cluster.ts";
import { type AdminCommandsDeps, createAdminCommands, loadBlocks } from "../commands/admin.ts";
import type { Caller, Command } from "../commands/command.ts";
import { createLinkCommands } from "../commands/link.ts";
import { noticeOf } from "../commands/notice.ts";
import { createOccupantCommands } from "../commands/occupant.ts";
import { createPeopleCommands } from "../commands/people.ts";
import { createQueueCommands, type QueueCommandsDeps } from "../commands/queue.ts";
import { createRoomCommands } from "../commands/rooms.ts";
import { createStatus, type RoomHealth } from "../commands/status.ts";
import { createTargets } from "../commands/targets.ts";
import type { Permissions } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { Gateway } from "../gateway/gateway.ts";
import type { Addresses } from "../mapping/addresses.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import { createAgreement } from "../rooms/agreement.ts";
import { createLinkChecks, type Linked } from "../rooms/link-checks.ts";
import { createLinkWords } from "../rooms/link-words.ts";
import type { Rooms } from "../rooms/rooms.ts";
import { createVisits, type Visits } from "../rooms/visits.ts";
import type { Guest, RoomLink } from "../store/room-records.ts";
import type { Store } from "../store/store.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { type BareJid, type FullJid, fullJid } from "../xmpp/jid.ts";
import type { IqRequests } from "../xmpp/requests.ts";
import type { Found } from "../xmpp/search.ts";
import { xml } from "../xmpp/stanza.ts";
import type { DirectRooms } from "./direct-rooms.ts";
import type { Ghosts } from "./ghosts.ts";
import type { RoomStates } from "./room-state.ts";

export interface BotCommandsDeps
  extends Pick<QueueCommandsDeps, "wake" | "retryNow">,
    Pick<AdminCommandsDeps, "onBlocks"> {
  addresses: Addresses;
  component: BareJid;
  config: Pick<Config, "permissions" | "rooms">;
  /** The one list that all parts of the bridge look at. */
  permissions: Permissions;
  /** Made after this, and needed only once a command is given. */
  rooms(): Rooms;
  gateway(): Pick<Gateway, "onStanza" | "moveGuests" | "putOutBlocked">;
  directRooms: DirectRooms;
  ghosts: Ghosts;
  roomStates: RoomStates;
  profileOf(userId: UserId): Promise<unknown>;
  searchUsers(term: string, asker: string): Promise<Found[] | undefined>;
  problems(): Record<string, string>;
  processes(): Promise<readonly ProcessInfo[]>;
  store: Store;
  matrix: MatrixClient;
  xmpp: XmppClient;
  requests: IqRequests;
  txnId(cause: string, part: string): string;
  newId: () => string;
  newCode: () => string;
  /** Unix time in milliseconds. */
  now: () => number;
  log: Log;
}

export interface BotCommands {
  list: Command[];
  /** The bot in every room of XMPP. */
  botJid: FullJid;
  linked: Linked;
  isMuc(jid: BareJid): boolean;
  visits: Visits;
  /** A command was answered in an XMPP room. */
  onAnswered(muc: BareJid): Promise<void>;
  /** What is stored is taken in before anything else is done. */
  start(): Promise<void>;
  /** Prosody has come back, and the bot goes back to where an answer is awaited. */
  prosodyReached(): void;
  stop(): void;
}

type CommandedRooms = Pick<
  Rooms,
  "open" | "link" | "unlink" | "setMode" | "putOutBlocked" | "invite" | "links" | "puppets"
>;

const hour = 60 * 60 * 1000;

export function createBotCommands(deps: BotCommandsDeps): BotCommands {
  const { addresses, component, config, permissions, store, matrix, xmpp, requests, roomStates, now, log } =
    deps;
  const botJid = fullJid(component, "causeway");
  const links = () => deps.rooms().links;
  const linked: Linked = {
    ofRoom: (roomId) => links().ofRoom(roomId),
    ofMuc: (muc) => links().ofMuc(muc),
    all: () => links().all(),
  };
  const rooms: CommandedRooms = {
    open: (...args) => deps.rooms().open(...args),
    link: (...args) => deps.rooms().link(...args),
    unlink: (...args) => deps.rooms().unlink(...args),
    setMode: (...args) => deps.rooms().setMode(...args),
    putOutBlocked: () => deps.rooms().putOutBlocked(),
    invite: (...args) => deps.rooms().invite(...args),
    links: linked,
    puppets: {
      nickOf: (...args) => deps.rooms().puppets.nickOf(...args),
      rename: (...args) => deps.rooms().puppets.rename(...args),
      ensure: (...args) => deps.rooms().puppets.ensure(...args),
    },
  };
  const visits = createVisits({ botJid, nick: "Causeway", xmpp, log });
  const targets = createTargets({
    addresses,
    component,
    linked,
    matrix,
    jidOfGhost: deps.ghosts.jidOf,
    roomStates,
    guests: store.guests,
  });
  const shared = { ...deps, ...store, rules: config.rooms, botJid, rooms, linked, visits, targets };
  const checks = createLinkChecks({
    ...shared,
    isDirect: async (roomId: RoomId) => (await deps.directRooms.ofRoom(roomId)) !== undefined,
    iqs: requests,
  });
  const agreement = createAgreement({
    ...shared,
    checks,
    requests: store.linkRequests,
    moveGuests: (roomId, muc) => deps.gateway().moveGuests(roomId, muc),
    words: createLinkWords({ ...shared, checks, contentOf: noticeOf }),
  });

  const healthOf = async (link: RoomLink): Promise<RoomHealth> => ({
    link,
    ...(await store.overview.occupancyOf(link.muc, addresses.botUserId)),
  });
  const doorOf = async (roomId: RoomId) => {
    const guests = await store.guests.ofRoom(roomId);
    const state = await roomStates.of(addresses.botUserId, roomId);
    const isOpen = state.joinRule === "public" && config.rooms.access.gateway !== "nobody";
    if (!isOpen && guests.length === 0) return undefined;
    const people = new Set(guests.map(({ ghost }) => ghost));
    return { address: addresses.jidOfRoom(state.canonicalAlias ?? roomId), guests: people.size };
  };
  const pending = async ({ place = {} }: Caller): Promise<string[]> =>
    (await agreement.pending(place)).map(
      ({ code, muc, roomId, xmppBy }) =>
        `A link of ${muc} with ${roomId} waits for agreement on ${xmppBy ? "Matrix" : "XMPP"}: ${code}`,
    );
  const ask = (to: BareJid, payload: Parameters<typeof requests.request>[0]["payload"]) =>
    requests.request({ from: component, to, payload, timeoutSeconds: 5 });

  const leaveAs = ({ jid, address, nick }: Guest): Promise<void> =>
    deps.gateway().onStanza(xml("presence", { type: "unavailable", from: jid, to: `${address}/${nick}` }), {
      cause: `leave/${jid}/${address}`,
      mayRepeat: false,
      acceptedAt: now(),
    });

  let expiring: NodeJS.Timeout | undefined;
  let isStopped = false;
  const resume = (): void => {
    agreement.resume().catch((error) => log.warn("requests for links could not be taken up", { error }));
  };
  return {
    list: [
      ...createRoomCommands({ ...shared, leaveAs }),
      ...createOccupantCommands({ ...shared, bot: addresses.botUserId }),
      ...createLinkCommands({ ...shared, agreement }),
      ...createPeopleCommands({ ...shared, directRooms: deps.directRooms, ask }),
      createStatus({
        problems: deps.problems,
        processes: deps.processes,
        now,
        parked: store.lanes.parked,
        queued: store.lanes.queued,
        targets,
        healthOf,
        doorOf,
        pending,
      }),
      ...createQueueCommands({ lanes: store.lanes, wake: deps.wake, retryNow: deps.retryNow, now }),
      ...createAdminCommands({
        ...shared,
        configured: config.permissions,
        async putOutBlocked() {
          await rooms.putOutBlocked();
          await deps.gateway().putOutBlocked();
        },
      }),
    ],
    botJid,
    linked,
    isMuc: (jid) => deps.rooms().isMuc(jid),
    visits,
    onAnswered: agreement.leaveIfDone,
    async start() {
      await loadBlocks({ permissions, configured: config.permissions, blocks: store.blocks });
      // A process may be told to stop while it begins to lead.
      if (isStopped) return;
      resume();
      expiring = setInterval(resume, hour);
    },
    prosodyReached() {
      visits.lost();
      resume();
    },
    stop() {
      isStopped = true;
      clearInterval(expiring);
    },
  };
}
