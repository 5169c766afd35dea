/** Matrix users as strangers on XMPP find them: by a typed ID, by a search, and with their picture. */
import { LRUCache } from "lru-cache";
import type { RateLimit } from "../http/rate-limit.ts";
import type { Addresses } from "../mapping/addresses.ts";
import type { MatrixClient, Profile } from "../matrix/client.ts";
import { domainOf, localpartOf, parseUserId, type UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Addressee } from "../xmpp/iq-answer.ts";
import { type BareJid, bareOf, type Jid } from "../xmpp/jid.ts";
import type { Found } from "../xmpp/search.ts";
import type { Photo } from "../xmpp/vcard.ts";

export interface PeopleDeps {
  addresses: Addresses;
  bridgeJid: BareJid;
  homeserverDomain: string;
  matrix: Pick<MatrixClient, "profile" | "searchUsers" | "thumbnail">;
  /** As far as the bridge asks for it without being asked. */
  profileOf(userId: UserId): Promise<Profile | undefined>;
  searches: RateLimit;
  log: Log;
}

export interface People {
  /** Who an address of the component is; undefined where it is nobody's. */
  lookUp(to: string): Promise<Addressee | undefined>;
  jidOfTyped(text: string): BareJid | undefined;
  search(term: string, asker: string): Promise<Found[] | undefined>;
  photoOf(jid: BareJid): Promise<Photo | undefined>;
  /** A small one of a picture in the media repository, as far as it can be had. */
  pictureOf(mxc: string): Promise<Photo | undefined>;
}

const mostFound = 50;
/** What a client may show without danger; a thumbnail is nothing else. */
const pictures = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
const cacheBytes = 8 * 1024 * 1024;
const [hour, minute] = [60 * 60_000, 60_000];

export function createPeople(deps: PeopleDeps): People {
  const { addresses, bridgeJid, homeserverDomain, matrix, profileOf, searches, log } = deps;
  const photos = new LRUCache<string, { photo: Photo | undefined }>({
    maxSize: cacheBytes,
    sizeCalculation: ({ photo }) => 256 + (photo?.bytes.length ?? 0),
    ttl: hour,
  });

  const isPerson = (userId: UserId): boolean => userId !== addresses.botUserId && !addresses.isGhost(userId);

  const userOfTyped = (text: string): UserId | undefined => {
    const id = text.replace(/^https:\/\/matrix\.to\/#\/|^matrix:u\/|^@/, "").replace(/^(?:@|%40)/, "");
    // A room or an event is no person, though a historical user ID may begin like one.
    if (/^[#!$+]/.test(text) || id === "") return undefined;
    // Like an address of XMPP or of mail: whoever means a historical user ID with an "@" in it writes all of it.
    if (id.includes("@") && !id.includes(":")) return undefined;
    const userId = parseUserId(`@${id.includes(":") ? id : `${id}:${homeserverDomain}`}`);
    return userId && isPerson(userId) ? userId : undefined;
  };

  const foundOf = (userId: UserId, displayName: string | undefined): Found => ({
    jid: addresses.jidOfUser(userId),
    name: displayName ?? localpartOf(userId),
  });

  /** The user with this very ID, who need not be in the directory. */
  const exact = async (term: string): Promise<Found[]> => {
    const userId = userOfTyped(term);
    const profile = userId && (await matrix.profile(userId).catch(() => undefined));
    return userId && profile ? [foundOf(userId, profile.displayName)] : [];
  };

  const inDirectory = async (term: string): Promise<Found[]> => {
    const results = await matrix.searchUsers(term, mostFound);
    return results.flatMap(({ userId: text, displayName }) => {
      const userId = parseUserId(text);
      return userId && isPerson(userId) ? [foundOf(userId, displayName)] : [];
    });
  };

  const readPhoto = async (mxc: string): Promise<Photo | undefined> => {
    const thumbnail = await matrix.thumbnail(mxc);
    return thumbnail && pictures.has(thumbnail.type) ? thumbnail : undefined;
  };
  const smallOf = async (mxc: string): Promise<Photo | undefined> => {
    const known = photos.get(mxc);
    if (known) return known.photo;
    const photo = await readPhoto(mxc);
    photos.set(mxc, { photo }, { ttl: photo ? hour : minute });
    return photo;
  };
  const pictureOf = (mxc: string): Promise<Photo | undefined> =>
    smallOf(mxc).catch((error) => {
      log.debug("a picture could not be had", { mxc, error });
      return undefined;
    });

  return {
    pictureOf,

    async lookUp(to) {
      const jid = bareOf(to as Jid);
      if (jid === bridgeJid) return { kind: "bridge" };
      const userId = addresses.userOfJid(jid);
      const profile = userId && (await profileOf(userId));
      if (!userId || !profile) return undefined;
      return { kind: "user", jid, name: profile.displayName ?? userId, uri: `https://matrix.to/#/${userId}` };
    },

    jidOfTyped(text) {
      const userId = userOfTyped(text);
      return userId && addresses.jidOfUser(userId);
    },

    async search(term, asker) {
      if ((await searches.take(bareOf(asker as Jid))) !== undefined) return undefined;
      const all = [...(await exact(term)), ...(await inDirectory(term))];
      return [...new Map(all.map((found) => [found.jid, found])).values()].slice(0, mostFound);
    },

    async photoOf(jid) {
      const userId = addresses.userOfJid(jid);
      if (!userId) return undefined;
      try {
        const isOurs = domainOf(userId) === homeserverDomain;
        const mxc = (await (isOurs ? profileOf(userId) : matrix.profile(userId)))?.avatarUrl;
        return mxc === undefined ? undefined : await smallOf(mxc);
      } catch (error) {
        log.debug("a picture could not be had", { user: userId, error });
        return undefined;
      }
    },
  };
}
