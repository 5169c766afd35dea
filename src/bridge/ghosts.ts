/** Ghosts: Matrix users that stand for XMPP users or for occupants of XMPP rooms, made when they are first needed. */
import { LRUCache } from "lru-cache";
import type { Addresses } from "../mapping/addresses.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { localpartOf, type UserId } from "../matrix/ids.ts";
import type { Ghosts as StoredGhosts } from "../store/store.ts";
import { type BareJid, domainOf, type FullJid, isFullJid, type Jid } from "../xmpp/jid.ts";

export interface Ghosts {
  /**
   * The ghost of an XMPP user, or of an occupant (`room@domain/key`), registered with the homeserver and named.
   * @param name what it is called at first, where that is not its JID.
   */
  ensure(jid: Jid, name?: string): Promise<UserId>;
  /** The XMPP user behind a ghost; undefined where the MXID stands for nobody. */
  jidOf(userId: UserId): Promise<BareJid | undefined>;
  /** The occupant (`room@domain/key`) behind a ghost; undefined where it stands for somebody else, or nobody. */
  occupantOf(userId: UserId): Promise<FullJid | undefined>;
  /** Whether there is such a ghost, or the bot, made now if it can be. */
  exists(userId: UserId): Promise<boolean>;
}

export interface GhostsDeps {
  addresses: Addresses;
  /** The bridge's own domain: nobody on it needs a ghost, they are Matrix users already. */
  component: string;
  matrix: MatrixClient;
  store: StoredGhosts;
}

export function createGhosts({ addresses, component, matrix, store }: GhostsDeps): Ghosts {
  const ready = new LRUCache<Jid, Promise<UserId>>({ max: 10_000 });

  const register = async (jid: Jid, name: string): Promise<UserId> => {
    const ghost = addresses.ghostOf(jid);
    if (await store.jidOf(ghost)) return ghost;
    await matrix.register(localpartOf(ghost));
    await matrix.setDisplayName(ghost, name);
    await store.save(ghost, jid);
    return ghost;
  };

  const ensure = (jid: Jid, name: string = jid): Promise<UserId> => {
    const known = ready.get(jid);
    if (known) return known;
    const ghost = register(jid, name).catch((error) => {
      ready.delete(jid);
      throw error;
    });
    ready.set(jid, ghost);
    return ghost;
  };

  const jidOf = async (userId: UserId): Promise<BareJid | undefined> => {
    if (!addresses.isGhost(userId)) return undefined;
    const jid = addresses.jidOfGhost(userId) ?? (await store.jidOf(userId));
    return jid === undefined || isFullJid(jid) || domainOf(jid) === component ? undefined : jid;
  };

  const occupantOf = async (userId: UserId): Promise<FullJid | undefined> => {
    if (!addresses.isGhost(userId)) return undefined;
    const jid = addresses.occupantOfGhost(userId) ?? (await store.jidOf(userId));
    return jid !== undefined && isFullJid(jid) ? jid : undefined;
  };

  return {
    ensure,
    jidOf,
    occupantOf,
    async exists(userId) {
      // Not every homeserver makes the bot when it reads the registration.
      if (userId === addresses.botUserId) {
        await matrix.register(localpartOf(userId));
        return true;
      }
      const jid = await jidOf(userId);
      if (jid) await ensure(jid);
      return jid !== undefined;
    },
  };
}
