/** Lists of who may do what in a hosted room, and changes of them, made on Matrix as the one who asks: XEP-0045 1.35 §8 to §10. */

import type { RoomState } from "../bridge/room-state.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { type PowerTable, rankOf } from "../mapping/affiliations.ts";
import {
  type AdminItem,
  type AdminPlan,
  type Change,
  mayRead,
  planChanges,
  readAdminItems,
  type Target,
} from "../mapping/room-admin.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { isObject } from "../matrix/event.ts";
import { parseUserId, type UserId } from "../matrix/ids.ts";
import type { Affiliation } from "../xmpp/affiliation.ts";
import { IqRefusal } from "../xmpp/iq-answer.ts";
import { type BareJid, bareOf, domainOf, localOf } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, xml } from "../xmpp/stanza.ts";
import type { HostedRoom } from "./hosted-room.ts";
import { type Question, type RoomAnswers, refusalOf, stateFor } from "./question.ts";

export interface AdminDeps {
  addresses: Addresses;
  component: string;
  powerLevels: PowerTable;
  matrix: Pick<MatrixClient, "ban" | "kick" | "setState" | "unban">;
  /** Invites somebody, as the one who asks, and tells those on XMPP. @throws IqRefusal, MatrixError. */
  invite(question: Question, jid: BareJid, reason: string | undefined): Promise<void>;
}

export interface Admin {
  answers: RoomAnswers;
  /** Does what the items say, all of it or nothing. @throws IqRefusal. */
  change(question: Question, items: readonly AdminItem[]): Promise<void>;
}

/** A list longer than that is of use to nobody. */
const mostItems = 1000;

export function createAdmin(deps: AdminDeps): Admin {
  const { addresses, component, powerLevels: table, matrix, invite } = deps;

  const affiliationOf = async (room: HostedRoom, state: RoomState, userId: UserId): Promise<Affiliation> => {
    const membership = state.members.get(userId)?.membership;
    if (membership === "ban") return "outcast";
    if (membership === "invite") {
      const { affiliation } = rankOf(state.levelOf(userId), state.powerLevels, table);
      return affiliation === "none" ? "member" : affiliation;
    }
    if (membership === "join") return (await room.rankOf(userId)).affiliation;
    return rankOf(state.levelOf(userId), state.powerLevels, table).affiliation;
  };

  /** Everyone of whom the room says something: members, the banned, and those who have a power level. */
  const everyone = (state: RoomState): UserId[] => {
    const { users } = state.powerLevels;
    const named = isObject(users) ? Object.keys(users).flatMap((id) => parseUserId(id) ?? []) : [];
    return [...new Set([...state.members.keys(), ...named])];
  };

  const bareJidOf = async (room: HostedRoom, userId: UserId): Promise<BareJid | undefined> => {
    const jid = await room.jidOf(userId);
    return jid && bareOf(jid);
  };

  const ofAffiliation = async (
    room: HostedRoom,
    state: RoomState,
    wanted: Affiliation,
  ): Promise<Element[]> => {
    const items: Element[] = [];
    for (const userId of everyone(state)) {
      const membership = state.members.get(userId)?.membership;
      if (wanted === "none" && membership !== "join") continue;
      if ((await affiliationOf(room, state, userId)) !== wanted) continue;
      const jid = await bareJidOf(room, userId);
      if (jid === undefined || items.length >= mostItems) continue;
      const here = membership === "join" && {
        nick: await room.nickOf(userId),
        role: (await room.rankOf(userId)).role,
      };
      items.push(xml("item", { affiliation: wanted, jid, ...here }));
    }
    return items;
  };

  const ofRole = async (
    room: HostedRoom,
    state: RoomState,
    wanted: AdminItem["role"],
  ): Promise<Element[]> => {
    const items: Element[] = [];
    for (const [userId, { membership }] of state.members) {
      if (membership !== "join" || items.length >= mostItems) continue;
      const { role, affiliation } = await room.rankOf(userId);
      if (role !== wanted) continue;
      const jid = await room.jidOf(userId);
      items.push(xml("item", { affiliation, role, nick: await room.nickOf(userId), ...(jid && { jid }) }));
    }
    return items;
  };

  const userOf = async (room: HostedRoom, { jid, nick }: AdminItem): Promise<UserId> => {
    if (jid !== undefined) {
      if (localOf(jid) === undefined) {
        throw new IqRefusal("cancel", "not-allowed", "Whole servers cannot be named here, only people.");
      }
      if (domainOf(jid) !== component) return addresses.ghostOf(jid);
      const userId = addresses.userOfJid(jid);
      if (userId) return userId;
      throw new IqRefusal("cancel", "item-not-found", `${jid} is nobody's address.`);
    }
    const userId = nick === undefined ? undefined : await room.userOfNick(nick);
    if (userId) return userId;
    throw new IqRefusal("cancel", "item-not-found", "Nobody of that name is in the room.");
  };

  /** By nick, or by the address of somebody who need not be there. */
  const changeOf = async (room: HostedRoom, state: RoomState, item: AdminItem): Promise<Change> => {
    const { affiliation, role, reason } = item;
    const userId = await userOf(room, item);
    const membership = state.members.get(userId)?.membership ?? "leave";
    const isHere = membership === "join";
    const rank = isHere ? await room.rankOf(userId) : rankOf(state.levelOf(userId), state.powerLevels, table);
    const target: Target = { userId, membership, rank };
    if (affiliation !== undefined) return { target, reason, affiliation };
    if (!isHere) throw new IqRefusal("cancel", "item-not-found", "Nobody of that name is in the room.");
    return { target, reason, role: role ?? "none" };
  };

  const ownersOf = async (room: HostedRoom, state: RoomState): Promise<Set<UserId>> => {
    const owners = new Set<UserId>();
    for (const userId of everyone(state)) {
      if ((await affiliationOf(room, state, userId)) === "owner") owners.add(userId);
    }
    return owners;
  };

  const carryOut = async (question: Question, { powerLevels, steps }: AdminPlan): Promise<void> => {
    const { room, ghost } = question;
    if (powerLevels) await matrix.setState(ghost, room.roomId, "m.room.power_levels", powerLevels);
    for (const { do: what, userId, reason } of steps) {
      if (what !== "invite") {
        await matrix[what](ghost, room.roomId, userId, reason);
        continue;
      }
      const jid = await bareJidOf(room, userId);
      if (jid) await invite(question, jid, reason);
    }
  };

  const change: Admin["change"] = async (question, items) => {
    const { room, ghost } = question;
    const state = await stateFor(question);
    const changes: Change[] = [];
    for (const item of items) changes.push(await changeOf(room, state, item));
    const owners = await ownersOf(room, state);
    const plan = planChanges(changes, ghost, state, { table, owners });
    if ("condition" in plan) throw refusalOf(plan);
    await carryOut(question, plan);
  };

  return {
    change,
    answers: {
      [`get ${NS.mucAdmin} query`]: async (question) => {
        const { room, ghost, payload } = question;
        const items = readAdminItems(payload);
        if ("condition" in items) throw refusalOf(items);
        const [item, ...more] = items;
        if (!item || more.length > 0) throw new IqRefusal("modify", "bad-request", "One list at a time.");
        const state = await stateFor(question);
        if (!mayRead(await room.rankOf(ghost), item, state.joinRule)) {
          throw new IqRefusal("auth", "forbidden", "You may not read this list.");
        }
        const list =
          item.affiliation === undefined
            ? await ofRole(room, state, item.role)
            : await ofAffiliation(room, state, item.affiliation);
        return xml("query", { xmlns: NS.mucAdmin }, ...list);
      },

      [`set ${NS.mucAdmin} query`]: async (question) => {
        const items = readAdminItems(question.payload);
        if ("condition" in items) throw refusalOf(items);
        await change(question, items);
        return undefined;
      },
    },
  };
}
