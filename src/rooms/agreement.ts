/** Rooms are linked only when somebody who may speak for each side has agreed; this asks them. */
import type { Addresses } from "../mapping/addresses.ts";
import type { RoomId, UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { LinkRequest, LinkRequests } from "../store/request-records.ts";
import type { RoomLink } from "../store/room-records.ts";
import type { BareJid, Jid } from "../xmpp/jid.ts";
import { calledOf, type LinkChecks, type Linked, nameOf, type Party, type Wish } from "./link-checks.ts";
import type { LinkWords } from "./link-words.ts";
import { no } from "./portal-checks.ts";
import type { Rooms } from "./rooms.ts";
import type { Visits } from "./visits.ts";

export type Outcome =
  | { kind: "linked"; link: RoomLink }
  | { kind: "unchanged"; link: RoomLink }
  /** Who has to agree yet, and by which code. */
  | { kind: "asked"; code: string; side: "matrix" | "xmpp" };

export interface AgreementDeps {
  addresses: Addresses;
  checks: LinkChecks;
  linked: Linked;
  rooms: Pick<Rooms, "link" | "unlink" | "setMode">;
  /** XMPP users who have entered the Matrix room through the bridge are sent to the XMPP room. */
  moveGuests(roomId: RoomId, muc: BareJid): Promise<void>;
  visits: Visits;
  requests: LinkRequests;
  words: LinkWords;
  newCode: () => string;
  /** Unix time in milliseconds. */
  now: () => number;
  log: Log;
}

export interface Agreement {
  /** @throws UndeliverableError with what is wrong and what to do. */
  ask(wish: Wish, by: Party): Promise<Outcome>;
  /** @param mode where whoever agrees wants that. */
  agree(code: string, by: Party, mode?: RoomLink["mode"]): Promise<Outcome>;
  refuse(code: string, by: Party): Promise<LinkRequest>;
  /** Ends a link. @param here the Matrix room where that was asked for. @throws UndeliverableError where they may not. */
  end(link: RoomLink, by: Party, here?: RoomId): Promise<void>;
  /** The bot has nothing to wait for any more in a room that it visits. */
  leaveIfDone(muc: BareJid): Promise<void>;
  /** What waits for an answer. */
  pending(wish: Partial<Wish>): Promise<LinkRequest[]>;
  /** Goes back to the rooms where an answer is awaited; lets go of what is too old. */
  resume(): Promise<void>;
}

const lifetimeMs = 24 * 60 * 60 * 1000;
const noRight = (muc: BareJid) =>
  no(
    "Only somebody who may change the Matrix room’s settings can do this, " +
      `or an owner or admin of ${muc} by saying it in there.`,
  );

export function createAgreement(deps: AgreementDeps): Agreement {
  const { addresses, checks, linked, rooms, visits, words, requests, now, log } = deps;

  const jidOf = (by: Party): Jid => (by.network === "matrix" ? addresses.jidOfUser(by.userId) : by.jid);

  const leaveIfDone: Agreement["leaveIfDone"] = async (muc) => {
    const others = (await requests.all()).some((one) => one.muc === muc && !one.isRefused);
    if (!others && linked.ofMuc(muc) === undefined) await visits.leave(muc);
  };

  const join = async (request: LinkRequest): Promise<void> => {
    const { roomId, muc, password, mode, askedBy } = request;
    const isLinked = (): boolean => linked.ofRoom(roomId)?.muc === muc;
    if (!isLinked()) await checks.mayBeLinked(request);
    // From now on what comes from there is for the link.
    visits.handOver(muc);
    try {
      await rooms.link(roomId, muc, askedBy as UserId | BareJid, {
        ...(password !== undefined && { password }),
        ...(mode && { mode }),
      });
    } catch (error) {
      if (!isLinked()) await visits.enter(muc, password).catch(() => undefined);
      throw error;
    }
  };

  /** Who agrees once more, as after a failure, finds what is done already. */
  const make = async (request: LinkRequest): Promise<Outcome> => {
    const { roomId, muc, code } = request;
    await join(request);
    const link = linked.ofRoom(roomId);
    if (!link) throw new Error(`${roomId} was linked with ${muc}, and is not`);
    await deps.moveGuests(roomId, muc);
    await requests.remove(code);
    await words.made(link);
    return { kind: "linked", link };
  };

  /** Links where both sides have agreed; else asks the one that has not. */
  const proceed = async (request: LinkRequest, known?: LinkRequest): Promise<Outcome> => {
    const { code, muc, password, matrixBy, xmppBy } = request;
    if (matrixBy && xmppBy) return make(request);
    const side = xmppBy ? "matrix" : "xmpp";
    const isAsked = known !== undefined && known.xmppBy === xmppBy;
    if (side === "xmpp") {
      // What cannot be entered cannot be linked, and the request would wait for nothing.
      await visits.enter(muc, password);
      await requests.save(request);
      if (!isAsked) await words.askMuc(request);
    } else {
      await requests.save(request);
      if (!isAsked) await words.askMatrix(request);
    }
    log.info("a link waits for agreement", { code, muc, room: request.roomId, side });
    return { kind: "asked", code, side };
  };

  const isOld = ({ askedAt }: LinkRequest): boolean => now() - askedAt > lifetimeMs;

  const find = async (code: string): Promise<LinkRequest> => {
    const request = await requests.ofCode(code.trim().toUpperCase());
    if (!request || request.isRefused || isOld(request))
      throw no("Nobody waits for an answer under this code; perhaps it is too old, or was answered.");
    return request;
  };

  /** What is known of such a wish already. */
  const earlier = async ({ roomId, muc }: Wish): Promise<LinkRequest | undefined> => {
    const before = (await requests.all()).find((one) => one.roomId === roomId && one.muc === muc);
    if (!before || isOld(before)) return undefined;
    if (before.isRefused) throw no(`To link this room with ${muc} was refused; ask again tomorrow.`);
    return before;
  };

  const askFor = async (wish: Wish, by: Party): Promise<Outcome> => {
    const { roomId, muc, password } = wish;
    const known = await earlier(wish);
    const isOfMatrix = by.network === "matrix";
    // Only inside can be seen who an XMPP user is there.
    if (!isOfMatrix && !by.occupant) await visits.enter(muc, password);
    const speaks = known?.xmppBy === undefined && (await checks.speaksForMuc(muc, by));
    const request: LinkRequest = {
      code: known?.code ?? deps.newCode(),
      roomId,
      muc,
      password: password ?? known?.password,
      mode: wish.mode ?? known?.mode,
      askedBy: known?.askedBy ?? nameOf(by),
      askedAt: known?.askedAt ?? now(),
      matrixBy: known?.matrixBy ?? (isOfMatrix ? by.userId : undefined),
      xmppBy: speaks ? jidOf(by) : known?.xmppBy,
      isRefused: false,
    };
    return proceed(request, known);
  };

  /** A crowd of occupants is for those to want whose room it is; fewer of them, for either side. */
  const changeMode = async (link: RoomLink, mode: RoomLink["mode"], by: Party): Promise<Outcome> => {
    const { roomId, muc } = link;
    const ofMatrix = mode === "relay" && (await checks.speaksForRoom(roomId, by));
    if (!ofMatrix && !by.isAdmin && !(await checks.speaksForMuc(muc, by))) {
      if (mode === "relay") throw noRight(muc);
      throw no(`Only an owner or admin of ${muc} can have all Matrix users in there, by saying so there.`);
    }
    await rooms.setMode(roomId, mode);
    await words.modeChanged({ ...link, mode });
    return { kind: "linked", link: { ...link, mode } };
  };

  return {
    async ask(wish, by) {
      const current = linked.ofRoom(wish.roomId);
      if (current?.muc === wish.muc) {
        if (wish.mode && wish.mode !== current.mode) return changeMode(current, wish.mode, by);
        // A command may come twice, as where not all could be sent there the first time.
        await deps.moveGuests(wish.roomId, wish.muc);
        return { kind: "unchanged", link: current };
      }
      await checks.mayBeLinked(wish);
      checks.mayLinkMore(by);
      if (by.network === "matrix" && !(await checks.speaksForRoom(wish.roomId, by)))
        throw no("It takes the power to change this room’s settings to link it; ask somebody who has it.");
      await checks.isThere(wish.muc);
      return askFor(wish, by);
    },

    async agree(code, by, mode) {
      const request = await find(code);
      const { muc, roomId } = request;
      const forMatrix = request.matrixBy === undefined && (await checks.speaksForRoom(roomId, by));
      const forXmpp = request.xmppBy === undefined && (await checks.speaksForMuc(muc, by));
      if (!forMatrix && !forXmpp) throw noRight(muc);
      const agreed = {
        ...request,
        mode: mode ?? request.mode,
        ...(forMatrix && by.network === "matrix" && { matrixBy: by.userId }),
        ...(forXmpp && { xmppBy: jidOf(by) }),
      };
      return proceed(agreed, request);
    },

    async refuse(code, by) {
      const request = await find(code);
      const { muc, roomId, askedBy } = request;
      const isAsker = askedBy === nameOf(by);
      const mayRefuse =
        isAsker ||
        by.isAdmin ||
        (await checks.speaksForRoom(roomId, by)) ||
        (await checks.speaksForMuc(muc, by));
      if (!mayRefuse) throw noRight(muc);
      // Kept for its time, so that nobody asks again at once; who takes a wish back may.
      if (isAsker) await requests.remove(request.code);
      else await requests.save({ ...request, isRefused: true });
      // An occupant is answered there before the bot goes.
      if (by.network === "matrix" || !by.occupant) await leaveIfDone(muc);
      if (by.network === "xmpp" && request.matrixBy) await words.refused(request, by.jid);
      log.info("a link was refused", { code: request.code, muc, room: roomId });
      return request;
    },

    async end(link, by, here) {
      const { roomId, muc } = link;
      const may =
        by.isAdmin ||
        (await checks.speaksForRoom(roomId, by)) ||
        (await checks.hasItAlone(link, by)) ||
        (await checks.speaksForMuc(muc, by));
      if (!may) throw noRight(muc);
      const who = calledOf(nameOf(by));
      await words.ending(link, who, here);
      await rooms.unlink(roomId, `${who} has ended the link with ${muc}.`);
    },
    leaveIfDone,

    async pending({ roomId, muc }) {
      return (await requests.all()).filter(
        (one) =>
          !one.isRefused &&
          !isOld(one) &&
          (roomId === undefined || one.roomId === roomId) &&
          (muc === undefined || one.muc === muc),
      );
    },

    async resume() {
      const [old, open] = [[] as LinkRequest[], [] as LinkRequest[]];
      for (const request of await requests.all()) (isOld(request) ? old : open).push(request);
      for (const { code } of old) await requests.remove(code);
      const goBack = async ({ code, muc, password }: LinkRequest): Promise<void> => {
        try {
          await visits.enter(muc, password);
        } catch (error) {
          log.warn("the bot could not go back to a room that was asked about a link", { code, muc, error });
        }
      };
      // All at once, so that each is known to be visited before its answer can come.
      await Promise.all(open.filter(({ isRefused }) => !isRefused).map(goBack));
      for (const { muc } of old) await leaveIfDone(muc);
    },
  };
}
