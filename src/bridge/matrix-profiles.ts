/** Names and pictures of Matrix users, asked for once and kept as long as they are likely to be the same. */
import { LRUCache } from "lru-cache";
import type { MatrixClient, Profile } from "../matrix/client.ts";
import { type MatrixEvent, readString } from "../matrix/event.ts";
import { domainOf, type UserId } from "../matrix/ids.ts";

export interface MatrixProfilesDeps {
  homeserverDomain: string;
  matrix: Pick<MatrixClient, "profile">;
}

export interface MatrixProfiles {
  /** @returns undefined where there is no such user. */
  of(userId: UserId): Promise<Profile | undefined>;
  /** As `of`, as far as it is known without asking. */
  peek(userId: UserId): Profile | undefined;
  /** Whether there is such a user now, as far as that can be asked: not from memory. */
  isThere(userId: UserId): Promise<boolean>;
  /** Learns from a user's own membership. @returns whether it says something new. */
  learn(event: MatrixEvent): boolean;
}

const minute = 60_000;

export function createMatrixProfiles({ homeserverDomain, matrix }: MatrixProfilesDeps): MatrixProfiles {
  const known = new LRUCache<UserId, { profile: Profile | undefined }>({ max: 1000, ttl: minute });
  /** Longer than what may change unnoticed: names of users who write, and what their memberships said. */
  const last = new LRUCache<UserId, Profile>({ max: 10_000 });
  const said = new LRUCache<UserId, string>({ max: 10_000 });

  return {
    async of(userId) {
      const cached = known.get(userId);
      if (cached) return cached.profile;
      // Other homeservers may keep profiles to themselves, so there only a message or a membership will tell.
      const isOurs = domainOf(userId) === homeserverDomain;
      const profile = isOurs
        ? await matrix.profile(userId)
        : (last.get(userId) ?? { displayName: undefined });
      known.set(userId, { profile });
      if (profile) last.set(userId, profile);
      return profile;
    },
    peek: (userId) => last.get(userId),
    isThere: async (userId) =>
      domainOf(userId) !== homeserverDomain || (await matrix.profile(userId)) !== undefined,
    learn({ state_key: stateKey, content }) {
      if (stateKey === undefined || readString(content, "membership") !== "join") return false;
      const userId = stateKey as UserId;
      const profile = {
        displayName: readString(content, "displayname"),
        avatarUrl: readString(content, "avatar_url"),
      };
      const text = JSON.stringify(profile);
      const isNew = said.get(userId) !== text;
      said.set(userId, text);
      if (!isNew) return false;
      known.delete(userId);
      last.set(userId, profile);
      return true;
    },
  };
}
