/** What every part of the middle stands on: addresses, people, rooms as they are now, and both clients. */
import { randomUUID } from "node:crypto";
import type { Permissions } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import { type Addresses, createAddresses } from "../mapping/addresses.ts";
import type { MatrixClient, Profile } from "../matrix/client.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Media } from "../media/media.ts";
import type { Log } from "../ops/log.ts";
import type { Store } from "../store/store.ts";
import type { XmppClient } from "../xmpp/client.ts";
import type { BareJid } from "../xmpp/jid.ts";
import type { IqRequests } from "../xmpp/requests.ts";
import { type Avatars, createAvatars } from "./avatars.ts";
import { createDirectRooms, type DirectRooms } from "./direct-rooms.ts";
import { createGhosts, type Ghosts } from "./ghosts.ts";
import { createMatrixProfiles, type MatrixProfiles } from "./matrix-profiles.ts";
import { createRoomStates, type RoomStates } from "./room-state.ts";
import { sha256, txnId } from "./txn-id.ts";

export interface GroundDeps {
  config: Config;
  store: Store;
  matrix: MatrixClient;
  media: Media;
  xmpp: XmppClient;
  /** IQs to XMPP users and servers. */
  requests: IqRequests;
  log: Log;
  /** Unix time in milliseconds. */
  now: () => number;
  /** Whether this process does what is done in one place only; among several at most one does. */
  leads(): boolean;
}

export interface Ground extends Omit<GroundDeps, "config"> {
  addresses: Addresses;
  /** The bridge's own address on XMPP. */
  component: BareJid;
  homeserverDomain: string;
  /** Administrators change it while the bridge runs, so it is looked at anew each time. */
  permissions: Permissions;
  profiles: MatrixProfiles;
  profileOf(userId: UserId): Promise<Profile | undefined>;
  ghosts: Ghosts;
  directRooms: DirectRooms;
  roomStates: RoomStates;
  avatars: Avatars;
  /** A transaction ID for what a cause brings about. */
  txnId(cause: string, part: string): string;
  newId: () => string;
}

export function createGround({ config, ...deps }: GroundDeps): Ground {
  const { homeserver, appservice, xmpp: prosody } = config;
  // By name, since a caller may have more than this is to hand on.
  const { store, matrix, media, xmpp, requests, log, now, leads } = deps;
  const [component, homeserverDomain] = [prosody.component as BareJid, homeserver.domain];
  const addresses = createAddresses({
    homeserverDomain,
    component,
    userPrefix: appservice.userPrefix,
    digest: (text) => sha256(text).digest("hex"),
  });
  const profiles = createMatrixProfiles({ homeserverDomain, matrix });
  const ghosts = createGhosts({ addresses, component, matrix, store: store.ghosts });
  return {
    ...{ store, matrix, media, xmpp, requests, log, now, leads },
    addresses,
    component,
    homeserverDomain,
    permissions: { ...config.permissions },
    profiles,
    profileOf: profiles.of,
    ghosts,
    directRooms: createDirectRooms({
      leads,
      addresses,
      homeserverDomain,
      ghosts,
      matrix,
      store: store.directRooms,
      transactions: store.transactions,
      log,
    }),
    roomStates: createRoomStates({ matrix }),
    avatars: createAvatars({ url: homeserver.url, asToken: appservice.asToken }),
    txnId,
    newId: randomUUID,
  };
}
