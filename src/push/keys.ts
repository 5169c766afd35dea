/** Push keys: each stands for one XMPP address whose owner has agreed, and is worth nothing once it is turned off. */
import { createHash } from "node:crypto";
import { levelOf } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { PushKey, PushKeyOwner, PushKeys as StoredKeys } from "../store/store.ts";
import { type BareJid, parseBareJid } from "../xmpp/jid.ts";
import { PushRefusal } from "./refusal.ts";

export interface KeysDeps {
  permissions: Config["permissions"];
  store: StoredKeys;
  /** What nobody can guess, as 43 or more URL-safe characters. */
  newKey(): string;
  now: () => number;
}

export type Keys = ReturnType<typeof createKeys>;

/** The specification's own limit, in bytes (Client-Server API v1.15, POST /pushers/set). */
const longestKey = 512;

/** Of one owner. */
const mostKeys = 20;

const digestOf = (key: string): string => createHash("sha256").update(key).digest("base64url");

export function createKeys({ permissions, store, newKey, now }: KeysDeps) {
  const isPermitted = (address: string): boolean => levelOf(permissions, address) !== "block";

  return {
    isPermitted,

    /** The key behind what a homeserver presents. */
    find: async (key: string): Promise<PushKey | undefined> =>
      Buffer.byteLength(key) > longestKey ? undefined : store.find(digestOf(key)),

    ofDigest: (digest: string) => store.find(digest),

    /** Whether notifications may still be sent for it. */
    works: ({ ended, owner, jid }: PushKey): boolean =>
      ended === undefined && isPermitted(owner) && isPermitted(jid),

    /**
     * The owner's key for the address, made where there is none that works.
     * @throws PushRefusal where the owner has too many.
     */
    async ensure(owner: PushKeyOwner, jid: BareJid): Promise<PushKey> {
      const own = await store.ofOwner(owner);
      const known = own.find((key) => key.jid === jid && key.ended === undefined);
      if (known) return known;
      if (own.filter((key) => key.jid !== jid).length >= mostKeys) {
        throw new PushRefusal(
          `You have notifications to ${mostKeys} addresses. Turn one off first: notify off ADDRESS`,
        );
      }
      const key = newKey();
      const made = { digest: digestOf(key), key, owner, jid, madeAt: now(), unread: 0, ended: undefined };
      await store.save(made);
      return made;
    },

    /** What somebody may see and turn off: what they have made, and whatever comes to their own XMPP address. */
    async of(owner: PushKeyOwner): Promise<PushKey[]> {
      const jid = owner.startsWith("@") ? undefined : parseBareJid(owner);
      const own = await store.ofOwner(owner);
      const toThem = jid === undefined ? [] : await store.ofJid(jid);
      return [...own, ...toThem.filter((key) => key.owner !== owner)];
    },

    end: ({ digest }: PushKey, reason: string) => store.end(digest, reason),
    remove: ({ digest }: PushKey) => store.remove(digest),
  };
}
