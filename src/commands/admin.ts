/** The commands of administrators: which rooms and people use the bridge, and who may not. */
import type { RoomStates } from "../bridge/room-state.ts";
import { applyBlocks, canonical, levelOf, type Permissions } from "../config/permissions.ts";
import type { Addresses } from "../mapping/addresses.ts";
import type { RoomId } from "../matrix/ids.ts";
import { parseUserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Linked } from "../rooms/link-checks.ts";
import type { Blocks } from "../store/request-records.ts";
import type { Guests, Occupants, Puppets } from "../store/room-records.ts";
import type { DirectRooms } from "../store/store.ts";
import { type BareJid, bareOf, parseJid } from "../xmpp/jid.ts";
import { written } from "./chat.ts";
import { addressOf, type Command, CommandRefusal } from "./command.ts";
import { listOf } from "./lists.ts";
import { type Targets, withoutLink } from "./targets.ts";

export interface AdminCommandsDeps {
  addresses: Addresses;
  component: BareJid;
  linked: Linked;
  targets: Pick<Targets, "person">;
  puppets: Pick<Puppets, "ofMuc">;
  occupants: Pick<Occupants, "ofMuc">;
  guests: Pick<Guests, "all">;
  directRooms: Pick<DirectRooms, "all">;
  roomStates: Pick<RoomStates, "of">;
  blocks: Blocks;
  /** The one list that all parts of the bridge look at; it is changed here. */
  permissions: Permissions;
  configured: Permissions;
  /** Who is blocked has changed. */
  onBlocks(): Promise<void>;
  /** Those who were blocked since they came go. */
  putOutBlocked(): Promise<void>;
  /** Unix time in milliseconds. */
  now: () => number;
  log: Log;
}

/** What all parts of the bridge go by takes in what is stored. */
export async function loadBlocks({
  permissions,
  configured,
  blocks,
}: Pick<AdminCommandsDeps, "permissions" | "configured" | "blocks">): Promise<void> {
  applyBlocks(
    permissions,
    configured,
    (await blocks.all()).map(({ pattern }) => pattern),
  );
}

const countOf = (count: number, one: string, many: string): string[] =>
  count === 0 ? [] : [count === 1 ? `one ${one}` : `${count} ${many}`];

export function createAdminCommands(deps: AdminCommandsDeps): Command[] {
  const { addresses, component, linked, guests, blocks, permissions, now, log } = deps;

  const nameOf = async (roomId: RoomId): Promise<string> => {
    const state = await deps.roomStates.of(addresses.botUserId, roomId).catch(() => undefined);
    return state?.canonicalAlias ?? roomId;
  };

  const rooms: Command = {
    name: "rooms",
    summary: "lists all rooms that are bridged",
    fields: [],
    examples: ["rooms"],
    level: "admin",
    async run() {
      const lines: string[] = [];
      for (const { roomId, muc, kind, mode, linkedBy } of linked.all()) {
        const present = (await deps.occupants.ofMuc(muc)).filter(({ isIn }) => isIn).length;
        const by = linkedBy ? ` by ${linkedBy}` : "";
        lines.push(`${muc} – ${await nameOf(roomId)}: ${kind}${by}, ${mode}, ${present} from XMPP`);
      }
      const hosted = new Map<RoomId, Set<string>>();
      for (const { roomId, jid } of await guests.all())
        hosted.set(roomId, (hosted.get(roomId) ?? new Set()).add(bareOf(jid)));
      const entered = [...hosted].map(([roomId, jids]) => `${roomId}: ${jids.size} from XMPP`);
      return {
        text: [listOf("Linked rooms:", lines, "none"), listOf("Entered from XMPP:", entered, "none")].join(
          "\n",
        ),
      };
    },
  };

  const users: Command = {
    name: "users",
    summary: "lists who uses the bridge, and who is blocked",
    fields: [],
    examples: ["users"],
    level: "admin",
    async run() {
      const all = new Map<string, { chats: number; linked: number; rooms: number }>();
      const of = (who: string) => {
        const known = all.get(who) ?? { chats: 0, linked: 0, rooms: 0 };
        all.set(who, known);
        return known;
      };
      for (const { userId, jid } of await deps.directRooms.all()) {
        of(userId).chats += 1;
        of(jid).chats += 1;
      }
      for (const { linkedBy, muc } of linked.all()) {
        if (linkedBy) of(linkedBy).linked += 1;
        for (const { userId, state } of await deps.puppets.ofMuc(muc))
          if (state === "in" && userId !== addresses.botUserId) of(userId).rooms += 1;
      }
      const entered = new Set((await guests.all()).map(({ roomId, jid }) => `${roomId} ${bareOf(jid)}`));
      for (const one of entered) of(one.slice(one.indexOf(" ") + 1)).rooms += 1;
      const lines = [...all]
        .sort(([a], [b]) => a.localeCompare(b))
        .map(([who, counts]) => {
          const parts = [
            ...countOf(counts.chats, "conversation", "conversations"),
            ...countOf(counts.linked, "room linked", "rooms linked"),
            ...countOf(counts.rooms, "room of the other network", "rooms of the other network"),
          ];
          return `${who}: ${parts.join(", ")}`;
        });
      const blocked = (await blocks.all()).map(({ pattern, by }) => `${pattern} (by ${by})`);
      return { text: [listOf("People:", lines), listOf("Blocked by command:", blocked)].join("\n") };
    },
  };

  /** Whoever stands for somebody of the other network means that person. */
  const readPattern = async (text: string): Promise<string> => {
    const pattern = withoutLink(text);
    const userId = parseUserId(pattern);
    const jid = pattern.startsWith("@") ? undefined : parseJid(pattern);
    if (!userId && !jid)
      throw new CommandRefusal("Name an MXID such as @tybalt:matrix.example, a JID, or a domain.");
    const isOurs = jid?.domain === component;
    if (userId === addresses.botUserId || (isOurs && !jid?.local))
      throw new CommandRefusal("That is the bridge itself.");
    if (!isOurs && !(userId && addresses.isGhost(userId))) return canonical(pattern);
    const person = await deps.targets.person(pattern);
    return canonical(person.network === "matrix" ? person.userId : person.jid);
  };
  const who = { name: "who", label: "MXID, JID or domain", required: true };
  const reload = async (): Promise<void> => {
    await loadBlocks(deps);
    await deps.onBlocks();
  };

  const block: Command = {
    name: "block",
    summary: "keeps somebody, or a whole domain, from using the bridge, at once",
    fields: [who],
    examples: ["block @tybalt:matrix.example", "block spam.example"],
    level: "admin",
    async run(caller, { who = "" }) {
      const pattern = await readPattern(who);
      const next = { ...permissions };
      applyBlocks(next, permissions, [pattern]);
      if (levelOf(next, addressOf(caller)) !== "admin")
        throw new CommandRefusal("That would block yourself.");
      if (levelOf(deps.configured, pattern) === "admin")
        throw new CommandRefusal(`${pattern} is an administrator by configuration; change it there.`);
      await blocks.save({ pattern, by: addressOf(caller), at: now() });
      await reload();
      log.info("somebody was blocked", { pattern, by: addressOf(caller) });
      // Nothing of theirs passes any more in any case.
      await deps.putOutBlocked().catch((error) => log.warn("blocked people are still in rooms", { error }));
      const undo = written(caller, `unblock ${pattern}`);
      const whom = pattern === "*" ? "Everybody whom the configuration does not name" : pattern;
      return { text: `${whom} is blocked from now on, and out of all rooms. To undo it: ${undo}` };
    },
  };

  const unblock: Command = {
    name: "unblock",
    summary: "takes a block back",
    fields: [who],
    examples: ["unblock @tybalt:matrix.example"],
    level: "admin",
    async run(caller, { who = "" }) {
      const pattern = await readPattern(who);
      await blocks.remove(pattern);
      await reload();
      log.info("somebody was unblocked", { pattern, by: addressOf(caller) });
      if (levelOf(permissions, pattern) !== "block") return { text: `${pattern} may use the bridge.` };
      const broader = (await blocks.all()).find(
        (one) => levelOf({ [one.pattern]: "user" }, pattern) === "user",
      );
      const undo = broader && written(caller, `unblock ${broader.pattern}`);
      return {
        text: broader
          ? `${pattern} stays blocked, since ${broader.pattern} is. To undo that: ${undo}`
          : `No command blocks ${pattern}, but the configuration does.`,
      };
    },
  };

  return [rooms, users, block, unblock];
}
