/** Gives ghosts the name and picture of their XMPP user, beside the messages and without ever delaying one. */
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import pLimit from "p-limit";
import type { Addresses } from "../mapping/addresses.ts";
import { type Card, nameOf, readNick, readPhotoHash } from "../mapping/profiles.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type {
  GhostProfile,
  Ghosts as StoredGhosts,
  GhostProfiles as StoredProfiles,
} from "../store/store.ts";
import type { AskForCard } from "../xmpp/cards.ts";
import { type BareJid, bareOf, type Jid } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/stanza.ts";
import type { Avatars } from "./avatars.ts";
import { createLocks } from "./locks.ts";

export interface GhostProfilesDeps {
  addresses: Addresses;
  ghosts: Pick<StoredGhosts, "jidOf">;
  store: StoredProfiles;
  matrix: Pick<MatrixClient, "setDisplayName" | "setAvatar">;
  askForCard: AskForCard;
  avatars: Pick<Avatars, "typeOf" | "upload">;
  /** Unix time in milliseconds. */
  now: () => number;
  log: Log;
}

export interface GhostProfiles {
  /** An XMPP user has shown something: a message that was delivered, or presence. */
  hear(stanza: Element): void;
}

/** So long a profile counts as known that nobody says has changed. */
const day = 24 * 60 * 60_000;
/** So long nothing is asked again for the same reason, whatever it brought. */
const pauseMs = 10 * 60_000;
/** Look-ups at once, and waiting: the next sign of life brings those back that are left out. */
const [concurrency, mostWaiting] = [4, 100];

const unknown: GhostProfile = {
  nick: undefined,
  name: undefined,
  avatarHash: "",
  avatarMxc: undefined,
  lookedAt: 0,
};

export function createGhostProfiles(deps: GhostProfilesDeps): GhostProfiles {
  const { addresses, ghosts, store, matrix, askForCard, avatars, now, log } = deps;
  const locks = createLocks();
  const limit = pLimit(concurrency);
  /** Who was asked lately, and why. */
  const asked = new LRUCache<BareJid, string>({ max: 10_000, ttl: pauseMs });

  const withName = async (profile: GhostProfile, name: string, ghost: UserId): Promise<GhostProfile> => {
    if (profile.name === name) return profile;
    await matrix.setDisplayName(ghost, name);
    return { ...profile, name };
  };

  const withPhoto = async (
    profile: GhostProfile,
    photo: Buffer | undefined,
    ghost: UserId,
  ): Promise<GhostProfile> => {
    const type = photo && avatars.typeOf(photo);
    const avatarHash = photo && type ? createHash("sha1").update(photo).digest("hex") : "";
    if (profile.avatarHash === avatarHash) return profile;
    const avatarMxc = photo && type ? await avatars.upload({ type, bytes: photo }, ghost) : undefined;
    await matrix.setAvatar(ghost, avatarMxc ?? "");
    return { ...profile, avatarHash, avatarMxc };
  };

  /** @returns whether the picture is another one. */
  const apply = async (
    jid: BareJid,
    ghost: UserId,
    nick: string | undefined,
    card?: Card,
  ): Promise<boolean> => {
    const stored = await store.of(jid);
    // A ghost is registered under its JID.
    const before = stored ?? { ...unknown, name: jid };
    let profile = nick === undefined ? before : { ...before, nick };
    profile = await withName(profile, nameOf(profile.nick ?? card?.name ?? profile.name, jid), ghost);
    if (card) profile = { ...(await withPhoto(profile, card.photo, ghost)), lookedAt: now() };
    await store.save(jid, profile);
    return profile.avatarHash !== before.avatarHash;
  };

  const isStale = ({ lookedAt, avatarHash }: GhostProfile, hash: string | undefined): boolean =>
    now() - lookedAt > day || (hash !== undefined && hash !== avatarHash);

  const lookUp = (jid: BareJid, ghost: UserId, asker: BareJid, hash: string | undefined): void => {
    const reason = hash === undefined ? "unknown" : `picture ${hash}`;
    if (asked.get(jid) === reason || limit.pendingCount >= mostWaiting) return;
    asked.set(jid, reason);
    void limit(async () => {
      const card = await askForCard(asker, jid);
      const isNew = await locks.run(jid, () => apply(jid, ghost, undefined, card));
      // What comes next may be another change, back to the same.
      if (isNew) asked.delete(jid);
    }).catch((error) => log.debug("an XMPP user's name and picture were not had", { jid, error }));
  };

  const follow = async (stanza: Element): Promise<void> => {
    const [jid, asker] = [bareOf(stanza.attrs.from as Jid), bareOf(stanza.attrs.to as Jid)];
    const ghost = addresses.ghostOf(jid);
    if ((await ghosts.jidOf(ghost)) === undefined) return;
    const nick = readNick(stanza);
    const profile = await locks.run(jid, async () => {
      const known = (await store.of(jid)) ?? unknown;
      if (nick !== undefined && nick !== known.nick) await apply(jid, ghost, nick);
      return known;
    });
    const hash = stanza.name === "presence" ? readPhotoHash(stanza) : undefined;
    if (isStale(profile, hash)) lookUp(jid, ghost, asker, hash);
  };

  return {
    hear(stanza) {
      const { type } = stanza.attrs;
      if (type === "error" || type === "groupchat" || type === "unavailable") return;
      void follow(stanza).catch((error) =>
        log.debug("an XMPP user's name and picture were not shown", { from: stanza.attrs.from, error }),
      );
    },
  };
}
