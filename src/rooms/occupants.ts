/** XMPP users in linked MUCs: who is there under which nick, and which ghost stands for each. */
import { LRUCache } from "lru-cache";
import type { Speaker } from "../bridge/conversation.ts";
import { UndeliverableError } from "../bridge/failure.ts";
import type { Addresses } from "../mapping/addresses.ts";
import type { OccupantPresence } from "../mapping/muc-presence.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Occupant, RoomLink, Occupants as StoredOccupants } from "../store/room-records.ts";
import {
  type BareJid,
  bareOf,
  fullJid,
  isFullJid,
  type Jid,
  parseFullJid,
  parseJid,
  resourceOf,
} from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild } from "../xmpp/stanza.ts";
import type { Faces } from "./faces.ts";
import type { Exit, GhostMembers } from "./ghost-members.ts";
import type { Links } from "./links.ts";
import type { MucInfos } from "./muc-infos.ts";

export interface OccupantsDeps {
  addresses: Pick<Addresses, "ghostOf">;
  links: Links;
  infos: MucInfos;
  members: GhostMembers;
  store: StoredOccupants;
  /** In rooms with more occupants only those are in the Matrix room who have spoken. */
  lazyAbove: number;
  faces: Faces;
  /** An occupant is there, as this or that. */
  onRank(link: RoomLink, occupant: Occupant): void;
  /** How long somebody who has left may be away before that shows. */
  leaveAfterMs?: number;
  log: Log;
}

export interface Occupants {
  /** What the bot hears of somebody who is not of ours. */
  onPresence(link: RoomLink, presence: OccupantPresence): Promise<void>;
  /** Whose message it is; the ghost is in the Matrix room afterwards. */
  speakerOf(link: RoomLink, stanza: Element): Promise<Speaker>;
  /** The bot enters a MUC, so everybody who is there is going to be told. */
  onEntering(muc: BareJid): void;
  /** The bot is in: whoever was not told of is no longer there. */
  onEntered(link: RoomLink): Promise<void>;
  /** An earlier run may have left the Matrix room otherwise. */
  resume(muc: BareJid): Promise<void>;
  nickOf(muc: BareJid, ghost: UserId): Promise<string | undefined>;
  ghostOfNick(muc: BareJid, nick: string): Promise<UserId | undefined>;
  ofNick(muc: BareJid, nick: string): Promise<Occupant | undefined>;
  ofGhost(muc: BareJid, ghost: UserId): Promise<Occupant | undefined>;
  /** Who is there now. */
  list(muc: BareJid): Promise<Occupant[]>;
  /** The real address, where the MUC shows it to the bot; it is for the MUC's own commands and nobody's eyes. */
  realJidOf(occupant: Occupant): BareJid | undefined;
  /** One of ours who may see it has. */
  learn(occupant: Occupant, realJid: BareJid): void;
  /** Brings the Matrix room into line with what is known of the occupant. */
  settle(muc: BareJid, key: string): void;
  /** All ghosts leave the room for good. */
  leaveAll(link: RoomLink): Promise<void>;
  stop(): void;
}

const retryAfterMs = 30_000;
const mostRetries = 5;

/** Whom the MUC gave the stanza out for, as far as it says. */
interface Signs {
  nick: string;
  occupantId?: string | undefined;
  realJid?: Jid | undefined;
  /** The same as an archive has it. */
  archivedJid?: Jid | undefined;
}

function signsOf(stanza: Element): Signs {
  const from = stanza.attrs.from as Jid;
  const occupantId: unknown = readChild(stanza, NS.occupantId, "occupant-id")?.attrs.id;
  // Archives of rooms that show real JIDs have them in each message (XEP-0313 1.1.3, §8.2).
  const jid: unknown = readChild(stanza, NS.mucUser, "x")?.getChild("item")?.attrs.jid;
  return {
    nick: resourceOf(from) ?? "",
    ...(typeof occupantId === "string" && occupantId !== "" && { occupantId }),
    ...(typeof jid === "string" && parseJid(jid) !== undefined && { archivedJid: jid as Jid }),
  };
}

export function createOccupants(deps: OccupantsDeps): Occupants {
  const { addresses, links, infos, members, faces, store, lazyAbove, onRank, log } = deps;
  const { leaveAfterMs = 30_000 } = deps;
  /** Keys of those who were told of since the bot has entered, by MUC. */
  const told = new Map<BareJid, Set<string>>();
  const realJids = new LRUCache<string, BareJid>({ max: 20_000 });
  const timers = new Map<string, NodeJS.Timeout>();
  let isStopped = false;

  const toldIn = (muc: BareJid): Set<string> => {
    const known = told.get(muc) ?? new Set();
    told.set(muc, known);
    return known;
  };

  /** The record of whoever it is, as far as it is known without the presence at hand. */
  const identify = async (
    { muc, isAnonymous }: RoomLink,
    signs: Signs,
  ): Promise<Pick<Occupant, "key" | "jid" | "ghost"> & { known: Occupant | undefined }> => {
    const info = await infos.of(muc).catch(() => undefined);
    // Where the room does not vouch for it, anybody may have written it.
    const vouches = info?.features.has(NS.occupantId);
    const vouched = vouches ? signs.occupantId : undefined;
    // COMPAT(Prosody): in what was said while the room hid JIDs, it is the sender's own word.
    const archivedJid = vouches === false ? signs.archivedJid : undefined;
    const shown = signs.realJid ?? archivedJid;
    const real = isAnonymous || !shown ? undefined : bareOf(shown);
    const named = await store.ofNick(muc, signs.nick);
    const key = vouched ?? (real || !named ? (real ?? signs.nick) : named.key);
    const known = await store.ofKey(muc, key);
    const isFitting = known && (isAnonymous ? isFullJid(known.jid) : !real || known.jid === real);
    if (isFitting) return { ...known, known };
    const jid = real ?? parseFullJid(`${muc}/${key}`) ?? fullJid(muc, signs.nick);
    return { key, jid, ghost: addresses.ghostOf(jid), known };
  };

  const isLazy = async (muc: BareJid): Promise<boolean> => {
    if (toldIn(muc).size > lazyAbove) return true;
    const info = await infos.of(muc).catch(() => undefined);
    return (info?.occupants ?? 0) > lazyAbove;
  };

  const bringIntoLine = async (muc: BareJid, key: string): Promise<void> => {
    const [link, occupant] = [links.ofMuc(muc), await store.ofKey(muc, key)];
    if (!link || !occupant || occupant.affiliation === "outcast") return;
    if (!occupant.isIn) return members.exit(link.roomId, occupant.ghost, { kind: "leave" });
    if (!(await members.isThere(link.roomId, occupant.ghost)) && (await isLazy(muc))) return;
    await members.enter(link.roomId, occupant);
    faces.show(occupant);
  };

  const settle = (muc: BareJid, key: string, afterMs = 0, retries = 0): void => {
    const id = `${muc} ${key}`;
    clearTimeout(timers.get(id));
    if (isStopped) return;
    const timer = setTimeout(() => {
      timers.delete(id);
      bringIntoLine(muc, key).catch((error) => {
        // Whom the Matrix room has banned stays outside.
        if (error instanceof UndeliverableError) return log.debug("an occupant stays out", { muc, error });
        log.warn("the Matrix room does not show an occupant as they are", { muc, error });
        if (retries < mostRetries && !timers.has(id)) settle(muc, key, retryAfterMs, retries + 1);
      });
    }, afterMs);
    timer.unref();
    timers.set(id, timer);
  };

  const exitOf = ({ statuses, actor, reason }: OccupantPresence): Exit => {
    const kind = statuses.has(301) ? "ban" : statuses.has(307) ? "kick" : "leave";
    // A service that goes down, or a connection that was lost, is nobody's decision.
    if (kind === "leave" || statuses.has(332) || statuses.has(333)) return { kind: "leave" };
    const by = actor ? ` by ${actor}` : "";
    const verb = kind === "ban" ? "Banned" : "Kicked";
    return { kind, reason: `${verb} on XMPP${by}${reason ? `: ${reason}` : ""}` };
  };

  const onGone = async (link: RoomLink, presence: OccupantPresence): Promise<void> => {
    const { muc } = link;
    const { nick, newNick, statuses, affiliation } = presence;
    const { known } = await identify(link, presence);
    // Somebody who is there under a second nick as well has not left.
    if (!known || known.nick !== nick) return;
    // Under a nick alone somebody else may come next.
    if (known.key === nick) realJids.delete(`${muc} ${known.key}`);
    // They are there again at once, and that presence says as whom.
    if (statuses.has(303) && newNick) return store.save({ ...known, nick: newNick });
    toldIn(muc).delete(known.key);
    const how = exitOf(presence);
    await store.save({ ...known, isIn: false, affiliation, role: "none" });
    if (how.kind === "leave") return settle(muc, known.key, leaveAfterMs);
    const current = links.ofMuc(muc);
    if (current) await members.exit(current.roomId, known.ghost, how);
  };

  /** The MUC shows real addresses now, or does so no longer: the same person is another ghost. */
  const replace = async (known: Occupant | undefined, occupant: Occupant): Promise<void> => {
    await store.save(occupant);
    const link = links.ofMuc(occupant.muc);
    if (!link || !known || known.ghost === occupant.ghost) return;
    await members.exit(link.roomId, known.ghost, { kind: "leave" });
  };

  const onThere = async (link: RoomLink, presence: OccupantPresence): Promise<void> => {
    const { muc } = link;
    const { nick, affiliation, role, realJid } = presence;
    const { key, jid, ghost, known } = await identify(link, presence);
    if (realJid) realJids.set(`${muc} ${key}`, bareOf(realJid));
    toldIn(muc).add(key);
    const occupant: Occupant = { muc, key, nick, ghost, jid, affiliation, role, isIn: true };
    faces.hear(occupant, presence.photoHash);
    await replace(known, occupant);
    const current = links.ofMuc(muc);
    if (current && known?.affiliation === "outcast") await members.unban(current.roomId, ghost);
    settle(muc, key);
    onRank(link, occupant);
  };

  return {
    onPresence: (link, presence) =>
      presence.isUnavailable ? onGone(link, presence) : onThere(link, presence),

    async speakerOf(link, stanza) {
      const { muc, roomId } = link;
      const signs = signsOf(stanza);
      const { key, jid, ghost, known } = await identify(link, signs);
      const { nick } = signs;
      const rank = { affiliation: "none", role: "none" } as const;
      const before = known ?? { muc, key, nick, ...rank, isIn: false };
      const occupant: Occupant = { ...before, ghost, jid };
      if (known?.ghost !== ghost) await replace(known, occupant);
      await members.enter(roomId, occupant);
      faces.show(occupant);
      // Said by somebody who is not there: the message stays, they do not.
      if (!occupant.isIn) settle(muc, key, leaveAfterMs);
      return { ghost: occupant.ghost, jid: occupant.jid, nick };
    },

    onEntering(muc) {
      told.set(muc, new Set());
    },

    async onEntered(link) {
      const { muc } = link;
      const there = toldIn(muc);
      for (const occupant of await store.ofMuc(muc)) {
        const isIn = there.has(occupant.key);
        if (occupant.isIn && !isIn) await store.save({ ...occupant, isIn: false, role: "none" });
        settle(muc, occupant.key, isIn ? 0 : leaveAfterMs);
        if (isIn) onRank(link, occupant);
      }
    },

    async resume(muc) {
      for (const { key, isIn } of await store.ofMuc(muc)) settle(muc, key, isIn ? 0 : leaveAfterMs);
    },

    nickOf: async (muc, ghost) => (await store.ofGhost(muc, ghost))?.nick,
    ghostOfNick: async (muc, nick) => (await store.ofNick(muc, nick))?.ghost,
    ofNick: store.ofNick,
    ofGhost: store.ofGhost,
    list: store.inMuc,
    realJidOf: ({ muc, key, jid }) => realJids.get(`${muc} ${key}`) ?? (isFullJid(jid) ? undefined : jid),
    learn: ({ muc, key }, realJid) => void realJids.set(`${muc} ${key}`, realJid),
    settle: (muc, key) => settle(muc, key),

    async leaveAll({ muc, roomId }) {
      for (const { key, ghost } of await store.ofMuc(muc)) {
        clearTimeout(timers.get(`${muc} ${key}`));
        await members.exit(roomId, ghost, { kind: "leave" });
      }
      told.delete(muc);
    },

    stop() {
      isStopped = true;
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
}
