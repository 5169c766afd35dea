/** Pictures of Matrix users as occupants of hosted rooms have them: the hashes of XEP-0153, for XEP-0045 presence. */
import { LRUCache } from "lru-cache";
import pLimit from "p-limit";
import type { Addresses } from "../mapping/addresses.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { BareJid } from "../xmpp/jid.ts";
import type { Photo } from "../xmpp/vcard.ts";
import { sha1 } from "./question.ts";

export interface PicturesDeps {
  addresses: Addresses;
  pictureOf(mxc: string): Promise<Photo | undefined>;
  photoOf(jid: BareJid): Promise<Photo | undefined>;
  /** The picture is another one than was known. */
  onPicture(userId: UserId): void;
  log: Log;
}

export interface Pictures {
  /** In hex as far as it is known, "" where there is none. Nobody waits for a picture: it is told when it is there. */
  hashOf(userId: UserId): string | undefined;
  /** A membership says that the user has this one. */
  note(userId: UserId, avatarUrl: string | undefined): void;
}

/** Somebody who enters a room wants those of all who are in there. */
const atOnce = 4;

export function createPictures({ addresses, pictureOf, photoOf, onPicture, log }: PicturesDeps): Pictures {
  const hashes = new LRUCache<UserId, string>({ max: 10_000 });
  /** Which are being had, so that each is asked for once. */
  const asked = new Set<UserId>();
  const limit = pLimit(atOnce);

  const learn = async (userId: UserId, picture: () => Promise<Photo | undefined>): Promise<void> => {
    try {
      const photo = await limit(picture);
      const hash = photo ? sha1(photo) : "";
      const isNew = hash !== (hashes.get(userId) ?? "");
      hashes.set(userId, hash);
      if (isNew) onPicture(userId);
    } catch (error) {
      log.debug("a picture could not be had", { user: userId, error });
    }
    asked.delete(userId);
  };

  return {
    hashOf(userId) {
      // What guests look like, they say themselves.
      if (addresses.isGhost(userId) || userId === addresses.botUserId) return undefined;
      const hash = hashes.get(userId);
      if (hash === undefined && !asked.has(userId)) {
        asked.add(userId);
        void learn(userId, () => photoOf(addresses.jidOfUser(userId)));
      }
      return hash;
    },
    note(userId, avatarUrl) {
      void learn(userId, async () => (avatarUrl === undefined ? undefined : pictureOf(avatarUrl)));
    },
  };
}
