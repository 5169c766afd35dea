/** What was said in a room of an XMPP service while the bridge did not hear it, taken from the room's archive. */

import { failureOf } from "../bridge/failure.ts";
import {
  type ArchivePage,
  type ArchivePart,
  archiveQuery,
  queryIdOf,
  readArchived,
  readArchivePage,
} from "../mapping/archives.ts";
import type { MucInfo } from "../mapping/muc-info.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { RoomLink } from "../store/room-records.ts";
import { IqTimeoutError, IqUnansweredError, RestError, StanzaRefusedError } from "../xmpp/client.ts";
import { type BareJid, bareOf, type FullJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import type { IqRequests } from "../xmpp/requests.ts";
import type { Element } from "../xmpp/stanza.ts";
import type { Links } from "./links.ts";
import type { MucInfos } from "./muc-infos.ts";

export interface MucCatchUpDeps {
  links: Pick<Links, "ofMuc" | "setArchiveId">;
  infos: Pick<MucInfos, "of">;
  requests: Pick<IqRequests, "requestAll">;
  matrix: Pick<MatrixClient, "history">;
  bot: UserId;
  botJid: FullJid;
  isGhost(userId: UserId): boolean;
  /** Messages from before that a portal begins with. */
  historyMessages: number;
  /**
   * Does with a message what is done with one that the room sends now.
   * @param cause the same whenever it is taken from the archive.
   */
  handle(link: RoomLink, message: Element, cause: string): Promise<void>;
  newId(): string;
  /** How long messages of a page may come after its end. */
  lateMs?: number;
  log: Log;
}

export interface MucCatchUp {
  /** Something may have been said unheard. */
  suspect(muc: BareJid): void;
  /** Resolves once all that was said unheard has been handled, in order; at once where there is nothing to doubt. */
  caughtUp(link: RoomLink): Promise<void>;
  /**
   * The part of the room's past that the bot asks for on entering: only where no archive has it.
   * @param info undefined where the room does not say.
   */
  historyFor(link: RoomLink, info: MucInfo | undefined): Promise<Record<string, string>>;
  /** Whether it is what an archive was asked for. */
  hear(message: Element): boolean;
}

/** Prosody gives no more at once. */
const pageSize = 50;
/** A broken archive is not to hold up a room. */
const mostAttempts = 4;
const nothing = { maxstanzas: "0" };

/** Not what kept Prosody, the homeserver or the disk from their work. */
const isOfArchive = (error: unknown): boolean =>
  error instanceof StanzaRefusedError ||
  error instanceof IqTimeoutError ||
  error instanceof IqUnansweredError ||
  (error instanceof RestError && error.condition !== undefined);

export function createMucCatchUp(deps: MucCatchUpDeps): MucCatchUp {
  const { links, infos, requests, matrix, bot, botJid, historyMessages, handle, newId, log } = deps;
  const { lateMs = 10_000 } = deps;
  const suspected = new Map<BareJid, { failures: number; isRaisedAgain?: boolean }>();
  const running = new Map<BareJid, Promise<void>>();
  /** COMPAT(mod_rest): what archives of other servers answer comes to the callback, message by message. */
  const collecting = new Map<string, { muc: BareJid; carriers: Element[]; onMore(): void }>();

  /** When the last message came that the Matrix room has from the other side. */
  const lastHeardAt = async ({ roomId }: RoomLink): Promise<string | undefined> => {
    if (!roomId) return undefined;
    const query = { dir: "b", limit: 100, filter: { types: ["m.room.message"] } } as const;
    const { events } = await matrix.history(bot, roomId, query);
    const last = events.find(({ sender }) => deps.isGhost(sender));
    return last && new Date(last.origin_server_ts).toISOString();
  };

  const ask = async (muc: BareJid, part: ArchivePart): Promise<ArchivePage & { carriers: Element[] }> => {
    const queryId = newId();
    const collected = { muc, carriers: [] as Element[], onMore: () => {} };
    collecting.set(queryId, collected);
    try {
      const payload = archiveQuery(queryId, part);
      const { result, messages } = await requests.requestAll({ from: botJid, to: muc, type: "set", payload });
      const page = readArchivePage(result);
      const all = (): Element[] => [...messages, ...collected.carriers];
      const isWhole = (): boolean =>
        page.last === undefined || all().some((one) => readArchived(one, muc, botJid)?.id === page.last);
      if (!isWhole()) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const timer = setTimeout(resolve, lateMs);
        collected.onMore = () => {
          if (isWhole()) resolve();
        };
        await promise;
        clearTimeout(timer);
      }
      return { ...page, carriers: all() };
    } finally {
      collecting.delete(queryId);
    }
  };

  const take = async (link: RoomLink, carriers: readonly Element[]): Promise<void> => {
    for (const carrier of carriers) {
      const archived = readArchived(carrier, link.muc, botJid);
      if (!archived) continue;
      if (archived.message) {
        try {
          await handle(link, archived.message, `archive/${link.muc}/${archived.id}`);
        } catch (error) {
          if (failureOf(error).retry) throw error;
          log.warn("a message of a room's archive was left out", { muc: link.muc, id: archived.id, error });
        }
      }
      await links.setArchiveId(link.muc, archived.id);
    }
  };

  /** Page after page, from one place in the archive on. */
  const takeFrom = async (link: RoomLink, start: ArchivePart): Promise<number> => {
    let [part, count] = [start, 0];
    for (;;) {
      const page = await ask(link.muc, part);
      await take(link, page.carriers);
      count += page.carriers.length;
      // An archive that answers with the same page for ever has said all that it will.
      const isSame = "after" in part && part.after === page.last;
      if (page.isComplete || page.last === undefined || isSame) return count;
      part = "since" in part ? { ...part, after: page.last } : { after: page.last, max: pageSize };
    }
  };

  /** The newest, collected backwards. */
  const newest = async (muc: BareJid, count: number): Promise<Element[]> => {
    let found: Element[] = [];
    let before = "";
    while (found.length < count) {
      const page = await ask(muc, { before, max: Math.min(pageSize, count - found.length) });
      found = [...page.carriers, ...found];
      if (page.isComplete || page.first === undefined || page.first === before) break;
      before = page.first;
    }
    return found;
  };

  const begin = async (link: RoomLink): Promise<number> => {
    const wanted = link.kind === "portal" ? historyMessages : 0;
    if (wanted > 0) {
      const found = await newest(link.muc, wanted);
      await take(link, found);
      return found.length;
    }
    // Nothing of it, but from here on everything.
    const { last } = await ask(link.muc, { before: "", max: 1 });
    if (last) await links.setArchiveId(link.muc, last);
    return 0;
  };

  const catchUp = async (link: RoomLink): Promise<number> => {
    const { muc, archiveId } = link;
    if (archiveId === undefined) return begin(link);
    try {
      return await takeFrom(link, { after: archiveId, max: pageSize });
    } catch (error) {
      if (!(error instanceof StanzaRefusedError) || error.error.condition !== "item-not-found") throw error;
    }
    // Archives forget; the time is then all that is known.
    log.info("an archive does not know its own message any more", { muc });
    const since = await lastHeardAt(link);
    return since === undefined ? begin(link) : takeFrom(link, { since, max: pageSize });
  };

  const run = async (muc: BareJid): Promise<void> => {
    const link = links.ofMuc(muc);
    const doubt = suspected.get(muc);
    if (!link || !doubt) return;
    doubt.isRaisedAgain = false;
    try {
      const { features } = await infos.of(muc);
      const count = features.has(NS.mam) ? await catchUp(link) : 0;
      if (count > 0) log.info("took messages from a room's archive", { muc, count });
    } catch (error) {
      if (isOfArchive(error)) doubt.failures += 1;
      if (failureOf(error).retry && doubt.failures < mostAttempts) throw error;
      log.warn("a room's archive could not be read: what was missed stays missed", { muc, error });
    }
    if (doubt.isRaisedAgain) suspected.set(muc, { failures: 0 });
    else suspected.delete(muc);
  };

  return {
    suspect(muc) {
      const doubt = suspected.get(muc);
      if (doubt) doubt.isRaisedAgain = true;
      else suspected.set(muc, { failures: 0 });
    },

    async caughtUp({ muc }) {
      if (!suspected.has(muc)) return running.get(muc);
      const underWay = running.get(muc) ?? run(muc).finally(() => running.delete(muc));
      running.set(muc, underWay);
      return underWay;
    },

    async historyFor(link, info) {
      if (info?.features.has(NS.mam) || (link.kind === "plumbed" && link.roomId === "")) return nothing;
      const since = await lastHeardAt(link);
      if (since !== undefined) return { since };
      return link.kind === "portal" ? { maxstanzas: String(historyMessages) } : nothing;
    },

    hear(message) {
      const found = message.name === "message" ? collecting.get(queryIdOf(message) ?? "") : undefined;
      if (!found || bareOf(message.attrs.from as Jid) !== found.muc || message.attrs.to !== botJid)
        return false;
      found.carriers.push(message);
      found.onMore();
      return true;
    },
  };
}
