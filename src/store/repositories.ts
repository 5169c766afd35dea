/** Every part of the store that is the same on each database. */
import { createBotRooms } from "./bot-rooms.ts";
import { createDirectRooms } from "./direct-rooms.ts";
import { createMessages, createReactions } from "./messages.ts";
import { createOverview } from "./overview.ts";
import { createGhosts, createSubscribers } from "./people.ts";
import { createPushDeliveries, createPushKeys } from "./push.ts";
import { createBlocks, createLinkRequests } from "./requests.ts";
import { createGuests, createOccupants, createPuppets, createRoomLinks, createRoomNicks } from "./rooms.ts";
import { createGhostProfiles, createPresences, createReadMarks } from "./signals.ts";
import type { Store } from "./store.ts";
import type { Tables } from "./tables.ts";

export interface RepositoriesDeps {
  tables: Tables;
  /** Unix time in milliseconds. */
  now: () => number;
}

/** The queue, pruning and the end are each backend's own. */
export type Repositories = Omit<Store, "lanes" | "transactions" | "prune" | "close">;

export function createRepositories({ tables, now }: RepositoriesDeps): Repositories {
  return {
    directRooms: createDirectRooms(tables),
    botRooms: createBotRooms(tables),
    ghosts: createGhosts(tables),
    subscribers: createSubscribers(tables),
    ghostProfiles: createGhostProfiles(tables),
    presences: createPresences(tables),
    readMarks: createReadMarks(tables),
    links: createRoomLinks(tables),
    puppets: createPuppets(tables),
    occupants: createOccupants(tables),
    guests: createGuests(tables),
    roomNicks: createRoomNicks(tables),
    linkRequests: createLinkRequests(tables),
    blocks: createBlocks(tables),
    overview: createOverview(tables),
    messages: createMessages({ tables, now }),
    reactions: createReactions({ tables, now }),
    pushKeys: createPushKeys(tables),
    pushDeliveries: createPushDeliveries({ tables, now }),
  };
}
