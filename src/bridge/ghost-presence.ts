/** Shows on Matrix whether XMPP users are there, as far as they let Matrix users know. */
import { setTimeout as delay } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import type { Addresses } from "../mapping/addresses.ts";
import {
  type Availability,
  type ResourcePresence,
  readPresence,
  toAvailability,
} from "../mapping/presence.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import type { Ghosts as StoredGhosts } from "../store/store.ts";
import { type BareJid, bareOf, type Jid } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/stanza.ts";
import { createLatest } from "./latest.ts";

export interface GhostPresenceDeps {
  addresses: Addresses;
  ghosts: Pick<StoredGhosts, "jidOf">;
  matrix: Pick<MatrixClient, "setPresence" | "presenceOf">;
  log: Log;
}

export interface GhostPresence {
  /** Takes presence of an XMPP user that is no change of a subscription. */
  hear(presence: Element): void;
  /** The XMPP user shows their presence no longer. */
  forget(jid: BareJid): void;
  stop(): void;
}

/** A homeserver takes a ghost for gone that has said nothing for so long: Synapse after 30 seconds. */
const repeatMs = 20_000;
/** Each of them costs the homeserver a call in that time. */
const mostShown = 200;
/** So long after a change, further ones of the same user are held together. */
const pauseMs = 1000;
const hour = 60 * 60_000;
const mostResources = 20;

export function createGhostPresence({ addresses, ghosts, matrix, log }: GhostPresenceDeps): GhostPresence {
  const resources = new LRUCache<BareJid, Map<string, ResourcePresence>>({ max: 10_000 });
  const shown = new LRUCache<UserId, Availability>({ max: mostShown });
  /** Set while the homeserver is taken to keep no presence. */
  const off = new LRUCache<"off", true>({ max: 1, ttl: hour });
  const stopping = new AbortController();
  let isProven = false;
  const pause = (ms: number): Promise<void> =>
    delay(ms, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);

  const turnOff = (): void => {
    off.set("off", true);
    shown.clear();
    log.info("the homeserver keeps no presence, so that of XMPP users is not shown");
  };

  const put = async (ghost: UserId, { presence, status }: Availability): Promise<void> => {
    try {
      await matrix.setPresence(ghost, presence, status);
    } catch (error) {
      const refused = error instanceof MatrixError && error.status < 500 && error.status !== 429;
      if (!refused) throw error;
      return turnOff();
    }
    if (isProven || presence === "offline") return;
    // COMPAT(Synapse): with presence switched off, it takes a ghost's as if it were on, and calls everybody offline.
    const kept = await matrix.presenceOf(ghost);
    if (kept === undefined || kept === "offline") return turnOff();
    isProven = true;
  };

  const latest = createLatest<UserId, Availability>({
    async show(ghost, wanted) {
      const now = shown.get(ghost) ?? { presence: "offline" };
      const isSame = now.presence === wanted.presence && now.status === wanted.status;
      if (isSame || off.has("off") || stopping.signal.aborted) return;
      if ((await ghosts.jidOf(ghost)) === undefined) return;
      if (wanted.presence === "offline") shown.delete(ghost);
      else shown.set(ghost, wanted);
      await put(ghost, wanted);
      await pause(pauseMs);
    },
    onError(ghost, error) {
      shown.delete(ghost);
      log.debug("an XMPP user's presence was not shown", { ghost, error });
    },
  });

  const repeat = async (): Promise<void> => {
    for (const [ghost, availability] of [...shown.entries()]) {
      if (stopping.signal.aborted) return;
      try {
        await put(ghost, availability);
      } catch (error) {
        // One who is refused is no reason to let the others go.
        if (!(error instanceof MatrixError)) throw error;
        log.debug("an XMPP user's presence was not repeated", { ghost, error });
      }
    }
  };
  const keepUp = async (): Promise<void> => {
    for (;;) {
      await pause(repeatMs);
      if (stopping.signal.aborted) return;
      await repeat().catch((error) => log.debug("presence of XMPP users was not repeated", { error }));
    }
  };
  void keepUp();

  return {
    hear(presence) {
      const { from, type } = presence.attrs;
      if (type !== undefined && type !== "unavailable") return;
      const jid = bareOf(from as Jid);
      const known = resources.get(jid) ?? new Map<string, ResourcePresence>();
      const said = readPresence(presence);
      const name = String(from).slice(jid.length + 1);
      // From the account itself it is about all of them.
      if (!said && name === "") known.clear();
      else if (!said) known.delete(name);
      else if (known.has(name) || known.size < mostResources) known.set(name, said);
      resources.set(jid, known);
      latest.set(addresses.ghostOf(jid), toAvailability([...known.values()]));
    },
    forget(jid) {
      resources.delete(jid);
      latest.set(addresses.ghostOf(jid), { presence: "offline" });
    },
    stop: () => stopping.abort(),
  };
}
