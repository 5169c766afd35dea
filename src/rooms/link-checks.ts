/** What has to be true before rooms are linked, and who may speak for each side. */
import { UndeliverableError } from "../bridge/failure.ts";
import type { RoomState, RoomStates } from "../bridge/room-state.ts";
import { isServiceAllowed } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { infoQueryOf, readMucInfo } from "../mapping/muc-info.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Occupants, RoomLink } from "../store/room-records.ts";
import { StanzaRefusedError } from "../xmpp/client.ts";
import { type BareJid, bareOf, domainOf, type Jid, localOf, parseBareJid, resourceOf } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import type { IqRequests } from "../xmpp/requests.ts";
import { readChild, xml } from "../xmpp/stanza.ts";
import { no, tooMany } from "./portal-checks.ts";
import type { Visits } from "./visits.ts";

/** Whoever asks, agrees, refuses or undoes; the occupant's affiliation is as the room itself has told it. */
export type Party = { isAdmin: boolean } & (
  | { network: "matrix"; userId: UserId }
  | { network: "xmpp"; jid: Jid; occupant?: { muc: BareJid; isInCharge: boolean } }
);

export interface Wish {
  roomId: RoomId;
  muc: BareJid;
  password?: string | undefined;
  /** As configured where it is left out. */
  mode?: RoomLink["mode"] | undefined;
}

/** What is linked now, known without waiting. */
export interface Linked {
  ofRoom(roomId: RoomId): RoomLink | undefined;
  ofMuc(muc: BareJid): RoomLink | undefined;
  all(): RoomLink[];
}

export interface LinkChecksDeps {
  addresses: Addresses;
  component: BareJid;
  rules: Pick<Config["rooms"], "mucServices" | "maxPerUser">;
  linked: Linked;
  /** Whether a room is the conversation of two people, which is no room to link. */
  isDirect(roomId: RoomId): Promise<boolean>;
  visits: Pick<Visits, "occupants">;
  occupants: Pick<Occupants, "inMuc">;
  roomStates: Pick<RoomStates, "of">;
  iqs: Pick<IqRequests, "request">;
}

export interface LinkChecks {
  /** @throws UndeliverableError where the bot is not in the room. */
  stateOf(roomId: RoomId): Promise<RoomState>;
  /** @throws UndeliverableError where the two cannot be linked, whoever wants it. */
  mayBeLinked(wish: Wish): Promise<void>;
  /** @throws UndeliverableError where there is no such room. */
  isThere(muc: BareJid): Promise<void>;
  /** @throws UndeliverableError where one has linked too many. */
  mayLinkMore(by: Party): void;
  speaksForRoom(roomId: RoomId, by: Party): Promise<boolean>;
  speaksForMuc(muc: BareJid, by: Party): Promise<boolean>;
  /** Whether they have opened the portal, and nobody else of Matrix is in it. */
  hasItAlone(link: RoomLink, by: Party): Promise<boolean>;
}

/** What somebody must be allowed to set in a room to speak for it (MSC2346). */
const bridgeState = "m.bridge";

export const nameOf = (party: Party): UserId | Jid => (party.network === "matrix" ? party.userId : party.jid);
/** As people are told: an occupant is known by the nick. */
export const calledOf = (who: UserId | Jid): string =>
  who.startsWith("@") ? who : (resourceOf(who as Jid) ?? who);

export function createLinkChecks(deps: LinkChecksDeps): LinkChecks {
  const { addresses, component, rules, linked, visits, roomStates, iqs } = deps;

  const stateOf: LinkChecks["stateOf"] = async (roomId) => {
    try {
      return await roomStates.of(addresses.botUserId, roomId);
    } catch (error) {
      if (!(error instanceof MatrixError && (error.status === 403 || error.status === 404))) throw error;
      throw no(`I am not in that Matrix room: invite ${addresses.botUserId} there, and give this again.`);
    }
  };

  /** By the list of the room itself: whoever is on it as the one who asks for it is in charge. */
  const isInCharge = async (muc: BareJid, jid: BareJid): Promise<boolean> => {
    for (const affiliation of ["owner", "admin"]) {
      const payload = xml("query", { xmlns: NS.mucAdmin }, xml("item", { affiliation }));
      try {
        const answer = await iqs.request({ from: jid, to: muc, payload, timeoutSeconds: 10 });
        const items = readChild(answer, NS.mucAdmin, "query")?.getChildren("item") ?? [];
        const listed = items.some(
          ({ attrs }) =>
            attrs.affiliation === affiliation &&
            parseBareJid(String(attrs.jid).split("/", 1)[0] ?? "") === jid,
        );
        if (listed) return true;
      } catch (error) {
        // The list is not for everybody; whoever may not see it is not in charge.
        if (!(error instanceof StanzaRefusedError)) throw error;
      }
    }
    return false;
  };

  /** As far as the room shows who is who. */
  const isSeenInCharge = async (muc: BareJid, jid: BareJid): Promise<boolean> => {
    const seen = visits.occupants(muc).map(({ realJid, affiliation }) => ({ jid: realJid, affiliation }));
    const known = await deps.occupants.inMuc(muc);
    return [...seen, ...known].some(
      (one) => one.jid === jid && (one.affiliation === "owner" || one.affiliation === "admin"),
    );
  };

  return {
    stateOf,

    async mayBeLinked({ roomId, muc }) {
      if (domainOf(muc) === component)
        throw no(`${muc} is an address of this very bridge: it leads to Matrix.`);
      if (localOf(muc) === undefined) throw no(`${muc} is no room, but perhaps a service that has some.`);
      if (!isServiceAllowed(rules.mucServices, domainOf(muc)))
        throw no(`The operator of this bridge does not let rooms of ${domainOf(muc)} be linked.`);
      const [ofRoom, ofMuc] = [linked.ofRoom(roomId), linked.ofMuc(muc)];
      if (ofRoom) throw no(`This room is linked with ${ofRoom.muc} already. To end that: !xmpp unlink`);
      if (ofMuc) {
        const is = ofMuc.kind === "portal" ? "has a portal on Matrix" : "is linked with a Matrix room";
        throw no(
          `${muc} ${is} already, and can have no other. An owner or admin of ${muc} can end that by saying there: !xmpp unlink`,
        );
      }
      if (await deps.isDirect(roomId))
        throw no("That is a conversation of two people, which cannot be linked.");
      const { isEncrypted, successor } = await stateOf(roomId);
      if (isEncrypted)
        throw no(
          "That Matrix room is encrypted, and I cannot read what is said there: link one that is not.",
        );
      if (successor) throw no("That Matrix room goes on as another one: link that.");
    },

    async isThere(muc) {
      try {
        const payload = xml("query", { xmlns: NS.discoInfo });
        const answer = await iqs.request({ from: component, to: muc, payload, timeoutSeconds: 10 });
        const query = infoQueryOf(answer);
        if (!query || !readMucInfo(query).isMuc) throw no(`${muc} is no chat room.`);
      } catch (error) {
        if (error instanceof UndeliverableError) throw error;
        if (!(error instanceof StanzaRefusedError))
          throw no(`${domainOf(muc)} does not answer; try again later.`);
        const { condition } = error.error;
        throw no(
          condition === "item-not-found"
            ? `There is no room ${muc}.`
            : `${muc} cannot be reached (${condition}).`,
        );
      }
    },

    mayLinkMore(by) {
      const count = linked.all().filter(({ linkedBy }) => linkedBy === nameOf(by)).length;
      if (!by.isAdmin && count >= rules.maxPerUser) throw tooMany(count);
    },

    async speaksForRoom(roomId, by) {
      if (by.network !== "matrix") return false;
      const state = await stateOf(roomId);
      const isIn = state.members.get(by.userId)?.membership === "join";
      return isIn && state.maySetState(by.userId, bridgeState);
    },

    async hasItAlone({ roomId, kind, linkedBy }, by) {
      if (kind !== "portal" || linkedBy !== nameOf(by)) return false;
      const { members } = await stateOf(roomId);
      return [...members].every(
        ([userId, { membership }]) =>
          membership !== "join" ||
          userId === linkedBy ||
          userId === addresses.botUserId ||
          addresses.isGhost(userId),
      );
    },

    async speaksForMuc(muc, by) {
      if (by.network === "matrix") return isInCharge(muc, addresses.jidOfUser(by.userId));
      if (by.occupant) return by.occupant.muc === muc && by.occupant.isInCharge;
      return isSeenInCharge(muc, bareOf(by.jid));
    },
  };
}
