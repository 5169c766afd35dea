/** Shows Matrix users to those who have them in the roster, as their homeserver tells: there, away, gone. */
import { levelOf } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { type ShownPresence, toPresence } from "../mapping/presence.ts";
import type { Ephemeral } from "../matrix/ephemeral.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Presences, StoredPresence, Subscribers } from "../store/store.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { capabilities } from "../xmpp/discovery.ts";
import { type Element, xml } from "../xmpp/stanza.ts";
import { createLatest } from "./latest.ts";

export interface MatrixPresenceDeps {
  addresses: Addresses;
  permissions: Config["permissions"];
  subscribers: Pick<Subscribers, "ofUser">;
  store: Presences;
  /** What goes into every presence of a Matrix user who is there: name and picture. */
  faceOf(userId: UserId): Promise<Element[]>;
  xmpp: Pick<XmppClient, "send">;
  /** Unix time in milliseconds. */
  now: () => number;
  log: Log;
}

type Told = Extract<Ephemeral, { kind: "presence" }>;

export interface MatrixPresence {
  /** The homeserver has told of a user. */
  take(told: Told): void;
  /** What a user's presence stanza says now. */
  of(userId: UserId): Promise<ShownPresence>;
  /** A user's name or picture is another one now. */
  faceChanged(userId: UserId): void;
}

/** The one resource under which a Matrix user shows. */
export const resource = "matrix";

export function createMatrixPresence(deps: MatrixPresenceDeps): MatrixPresence {
  const { addresses, permissions, subscribers, store, faceOf, xmpp, now, log } = deps;

  const of = async (userId: UserId): Promise<ShownPresence> => {
    const known = await store.of(userId);
    const activeAt = known?.activeAt === undefined ? undefined : new Date(known.activeAt).toISOString();
    const { type, children } = toPresence(known, activeAt);
    if (type !== undefined) return { type, children };
    return { type, children: [...children, capabilities(), ...(await faceOf(userId))] };
  };

  const isNews = async (userId: UserId, { presence, status }: StoredPresence): Promise<boolean> => {
    const known = await store.of(userId);
    return known?.presence !== presence || known.status !== status;
  };

  const latest = createLatest<UserId, Told | "face">({
    async show(userId, told) {
      if (levelOf(permissions, userId) === "block") return;
      if (told !== "face") {
        const { presence, status, lastActiveAgo: ago } = told;
        const current = {
          presence,
          status,
          activeAt: ago === undefined ? undefined : Math.max(0, now() - ago),
        };
        if (!(await isNews(userId, current))) return;
        // Kept whoever has them in the roster: somebody may have, before the next change.
        await store.save(userId, current);
      }
      const jids = (await subscribers.ofUser(userId)).filter((jid) => levelOf(permissions, jid) !== "block");
      const from = `${addresses.jidOfUser(userId)}/${resource}`;
      for (const to of jids) {
        const { type, children } = await of(userId);
        await xmpp.send(xml("presence", { from, to, ...(type && { type }) }, ...children));
      }
    },
    onError: (user, error) => log.debug("a Matrix user's presence was not shown", { user, error }),
  });

  return {
    take: (told) => latest.set(told.userId, told),
    of,
    faceChanged: (userId) => latest.set(userId, "face"),
  };
}
