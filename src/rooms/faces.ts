/** Pictures of occupants on their ghosts: XEP-0153 1.1 by vcard-temp through the room; beside all else, and never in its way. */
import { LRUCache } from "lru-cache";
import pLimit from "p-limit";
import type { Avatars } from "../bridge/avatars.ts";
import { readVcard } from "../mapping/profiles.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { Log } from "../ops/log.ts";
import type { Occupant } from "../store/room-records.ts";
import type { GhostProfiles } from "../store/store.ts";
import { type FullJid, fullJid, isFullJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import type { IqRequests } from "../xmpp/requests.ts";
import { readChild, xml } from "../xmpp/stanza.ts";

export interface FacesDeps {
  botJid: FullJid;
  requests: Pick<IqRequests, "requestAll">;
  store: GhostProfiles;
  matrix: Pick<MatrixClient, "setAvatar">;
  avatars: Pick<Avatars, "typeOf" | "upload">;
  /** Unix time in milliseconds. */
  now(): number;
  log: Log;
}

export interface Faces {
  /** What the presence of an occupant says of their picture: its SHA-1 in hex, "" for none. */
  hear(occupant: Occupant, hash: string | undefined): void;
  /** The ghost of an occupant is in the Matrix room. People with an address of their own are followed by that. */
  show(occupant: Occupant): void;
}

// COMPAT(mod_rest): the HTTP call about what the occupant's server answers hangs to its end, so it is to be short; and it
// is waited for, or pictures would take the places of all other IQs.
const timeoutSeconds = 5;
const concurrency = 2;
/** Whom nobody waits for: the next presence brings those back that are left out. */
const mostWaiting = 500;
/** So long a picture that could not be had is not asked for again. */
const pauseMs = 10 * 60_000;

export function createFaces({ botJid, requests, store, matrix, avatars, now, log }: FacesDeps): Faces {
  const limit = pLimit(concurrency);
  const hashes = new LRUCache<FullJid, string>({ max: 20_000 });
  const asked = new LRUCache<FullJid, string>({ max: 20_000, ttl: pauseMs });

  const pictureOf = async ({ muc, nick, ghost }: Occupant): Promise<string | undefined> => {
    const payload = xml("vCard", { xmlns: NS.vcard });
    const to = fullJid(muc, nick);
    const { result } = await requests.requestAll({ from: botJid, to, payload, timeoutSeconds });
    const vcard = readChild(result, NS.vcard, "vCard");
    const bytes = vcard && readVcard(vcard).photo;
    const type = bytes && avatars.typeOf(bytes);
    return bytes && type ? avatars.upload({ type, bytes }, ghost) : undefined;
  };

  const follow = async (occupant: Occupant, jid: FullJid, avatarHash: string): Promise<void> => {
    const known = await store.of(jid);
    if ((known?.avatarHash ?? "") === avatarHash) return;
    const avatarMxc = avatarHash === "" ? undefined : await pictureOf(occupant);
    await matrix.setAvatar(occupant.ghost, avatarMxc ?? "");
    await store.save(jid, { nick: undefined, name: undefined, avatarHash, avatarMxc, lookedAt: now() });
  };

  return {
    hear({ jid }, hash) {
      if (hash !== undefined && isFullJid(jid)) hashes.set(jid, hash);
    },

    show(occupant) {
      const { jid, muc } = occupant;
      const hash = isFullJid(jid) ? hashes.get(jid) : undefined;
      if (!isFullJid(jid) || hash === undefined) return;
      if (asked.get(jid) === hash || limit.pendingCount >= mostWaiting) return;
      asked.set(jid, hash);
      limit(() => follow(occupant, jid, hash)).catch((error) => {
        log.debug("an occupant's picture could not be had", { muc, error });
      });
    },
  };
}
