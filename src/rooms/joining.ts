/** Brings Matrix users and the bot into linked rooms, each under a nick that the room takes. */
import { UndeliverableError } from "../bridge/failure.ts";
import { createLocks } from "../bridge/locks.ts";
import { failureOfStanzaError } from "../mapping/errors.ts";
import { explained, joinRefusalOf, successorIn } from "../mapping/join-errors.ts";
import type { MucInfo } from "../mapping/muc-info.ts";
import type { OccupantPresence } from "../mapping/muc-presence.ts";
import { isNickOf, nicksFor } from "../mapping/nicks.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { RoomLink } from "../store/room-records.ts";
import { StanzaRefusedError, type XmppClient } from "../xmpp/client.ts";
import { capabilities } from "../xmpp/discovery.ts";
import { type BareJid, bareOf, type FullJid, fullJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import type { IqRequests } from "../xmpp/requests.ts";
import { type Element, readChild, type StanzaError, xml } from "../xmpp/stanza.ts";
import { type Entrances, unanswered } from "./entrances.ts";
import type { MucInfos } from "./muc-infos.ts";
import type { Seat, Seats } from "./seats.ts";
import type { createSelfPing } from "./self-ping.ts";

export interface JoiningDeps {
  seats: Seats;
  entrances: Entrances;
  infos: Pick<MucInfos, "ask">;
  xmpp: Pick<XmppClient, "send">;
  requests: Pick<IqRequests, "request">;
  bot: UserId;
  jidOf(userId: UserId): FullJid;
  ping: ReturnType<typeof createSelfPing>;
  /** Where somebody has put them out, and they have not asked again. @throws UndeliverableError */
  throwIfUnwanted(link: RoomLink, userId: UserId): void;
  /** What somebody is called in the Matrix room. */
  displayNameOf(link: RoomLink, userId: UserId): Promise<string | undefined>;
  /** XEP-0153: SHA-1 of the picture in hex, "" for none; undefined where it is not known yet. */
  photoHashOf(userId: UserId): Promise<string | undefined>;
  /** What the bot wants to be told of what was said before. */
  historyFor(link: RoomLink, info: MucInfo | undefined): Promise<Record<string, string>>;
  /** The room is about to tell the bot, once more perhaps, of all who are in it. */
  onBotEntering(link: RoomLink): void;
  /** The room was destroyed while nobody of ours was in it. */
  onGone(link: RoomLink, destroyed: NonNullable<OccupantPresence["destroyed"]>): void;
  log: Log;
}

export interface Joining {
  /** Has somebody in the room; at once where they are there. @throws UndeliverableError for a lasting refusal. */
  enter(link: RoomLink, userId: UserId): Promise<FullJid>;
  /** As `enter`, though they may be there: the room then says again who is. */
  enterAgain(link: RoomLink, userId: UserId): Promise<FullJid>;
  /** Their name on Matrix is another one now, or still the same: a nick that was chosen then stays. */
  rename(link: RoomLink, userId: UserId, displayName: string): Promise<void>;
  /** They want to be called that, here. @throws UndeliverableError where the room does not let them. */
  choose(link: RoomLink, userId: UserId, nick: string): Promise<void>;
  leave(link: RoomLink, userId: UserId, reason?: string): Promise<void>;
}

/** XEP-0045 §10.1.1. */
const newRoom = 201;
const mostNicks = 12;

export function createJoining(deps: JoiningDeps): Joining {
  const { seats, entrances, infos, requests, bot, jidOf, displayNameOf, historyFor, log } = deps;
  const locks = createLocks();

  /** What the room offers; entering one that is not there would make one. */
  const look = async ({ muc }: RoomLink): Promise<MucInfo | undefined> => {
    try {
      return await infos.ask(muc);
    } catch (error) {
      const { condition } = error instanceof StanzaRefusedError ? error.error : {};
      if (condition === "item-not-found" || condition === "gone") throw error;
      log.debug("a room does not say what it offers", { muc, error });
      return undefined;
    }
  };

  /** COMPAT(ejabberd, and others with registered nicks): the one that the room knows them by. */
  const reservedNick = async (muc: BareJid, userId: UserId): Promise<string | undefined> => {
    const payload = xml("query", { xmlns: NS.discoInfo, node: "x-roomuser-item" });
    const iq = { from: jidOf(userId), to: muc, payload, timeoutSeconds: 20 };
    const result = await requests.request(iq).catch(() => undefined);
    const query = result && readChild(result, NS.discoInfo, "query");
    return query?.getChild("identity")?.attrs.name || undefined;
  };

  const face = async (userId: UserId, displayName: string | undefined, nick: string): Promise<Element[]> => {
    const hash = userId === bot ? undefined : await deps.photoHashOf(userId).catch(() => undefined);
    const photo = xml("photo", {}, ...(hash ? [hash] : []));
    return [
      ...(userId === bot ? [] : [capabilities()]),
      ...(displayName && displayName !== nick ? [xml("nick", { xmlns: NS.nick }, displayName)] : []),
      ...(hash === undefined ? [] : [xml("x", { xmlns: NS.vcardUpdate }, photo)]),
    ];
  };

  const sendLeave = async (muc: BareJid, userId: UserId, nick: string, reason?: string): Promise<void> => {
    const attrs = { from: jidOf(userId), to: fullJid(muc, nick), type: "unavailable" };
    try {
      await deps.xmpp.send(xml("presence", attrs, ...(reason ? [xml("status", {}, reason)] : [])));
    } catch (error) {
      // Whoever may not even go was not in.
      if (!(error instanceof StanzaRefusedError)) throw error;
    }
  };

  /** The room went in the very moment, and entering has made another one, which nobody could enter yet. */
  const unmake = async (muc: BareJid, userId: UserId, nick: string): Promise<StanzaError> => {
    seats.gone(muc, userId, "out");
    await sendLeave(muc, userId, nick);
    return { type: "wait", condition: "item-not-found" };
  };

  /** @returns the error where the room refuses. */
  const askWith = async (
    muc: BareJid,
    userId: UserId,
    nick: string,
    children: Element[],
  ): Promise<StanzaError | undefined> => {
    seats.claim(muc, userId, nick);
    // Else a bridge that dies now would take its own puppet for a stranger. Of the bot, the room has more to tell.
    if (userId !== bot) await seats.expect(muc, userId, nick, "in");
    try {
      const presence = await entrances.ask(muc, jidOf(userId), nick, children);
      if (presence.statuses.has(newRoom)) return await unmake(muc, userId, presence.nick);
      seats.arrived(muc, userId, presence.nick);
      return undefined;
    } catch (error) {
      if (!(error instanceof StanzaRefusedError)) throw error;
      const seat = seats.of(muc, userId);
      const isTheirs = seat?.state === "in" && seat.nick === nick;
      // Without an answer they may be in, and the room is about to say so.
      if (!isTheirs && error.error.condition !== unanswered) seats.disclaim(muc, userId, nick);
      return error.error;
    }
  };

  /** Tries one nick after the other. @returns the error where none will do. */
  const askWithNicks = async (
    { muc }: RoomLink,
    userId: UserId,
    displayName: string | undefined,
    nicks: Iterable<string>,
    more: readonly Element[],
  ): Promise<StanzaError | undefined> => {
    let refused: StanzaError | undefined;
    let tried = 0;
    for (const nick of nicks) {
      const children = [...more, ...(await face(userId, displayName, nick))];
      refused = await askWith(muc, userId, nick, children);
      if (!refused || joinRefusalOf(refused, muc, bareOf(jidOf(userId))).kind !== "nick") return refused;
      tried += 1;
      if (tried === mostNicks) break;
    }
    return refused;
  };

  /** The one that they had, and others that look like nobody else's. */
  function* nicksOf(
    { muc }: RoomLink,
    userId: UserId,
    displayName: string | undefined,
    had?: string,
  ): Generator<string, void> {
    // Somebody else may have it now: the room will say so.
    if (had) yield had;
    for (const nick of nicksFor({ displayName, userId })) {
      if (nick !== had && !seats.isTaken(muc, nick, userId)) yield nick;
    }
  }

  /** Whom a room does not even answer, though it answers the bot, is not to hold up the others. */
  const throwIfIgnored = async ({ muc }: RoomLink, userId: UserId): Promise<void> => {
    const nick = seats.of(muc, bot)?.nick;
    if (userId === bot || nick === undefined) return;
    if ((await deps.ping(muc, bot, nick)) !== "in") return;
    const words = `${muc} does not answer ${bareOf(jidOf(userId))}, who wants to enter it. Write again later, or ask its administrators.`;
    throw new UndeliverableError("wait", "remote-server-timeout", words);
  };

  const throwRefusal = (link: RoomLink, userId: UserId, error: StanzaError): never => {
    const jid = bareOf(jidOf(userId));
    const refusal = joinRefusalOf(error, link.muc, jid);
    if (refusal.kind === "later") throw new StanzaRefusedError({ ...error, type: "wait" });
    const { type, condition, sentence } =
      refusal.kind === "lasting" ? refusal.failure : explained(failureOfStanzaError(error), link.muc, jid);
    seats.gone(link.muc, userId, refusal.kind === "lasting" && refusal.isBan ? "banned" : "out");
    if (userId === bot && condition === "gone") {
      const jid = successorIn(error);
      deps.onGone(link, { ...(jid && { jid }), ...(error.text && { reason: error.text }) });
    }
    throw new UndeliverableError(type, condition, sentence);
  };

  const onRefused = async (link: RoomLink, userId: UserId, error: StanzaError): Promise<never> => {
    if (error.condition === unanswered) await throwIfIgnored(link, userId);
    else await seats.save(link.muc, userId);
    return throwRefusal(link, userId, error);
  };

  /** What the bot wants of the past; the others hear of it through Matrix. */
  const historyOf = async (link: RoomLink, userId: UserId): Promise<Record<string, string>> => {
    if (userId !== bot) return { maxstanzas: "0" };
    try {
      return await historyFor(link, await look(link));
    } catch (error) {
      if (error instanceof StanzaRefusedError) throwRefusal(link, userId, error.error);
      throw error;
    }
  };

  const join = async (link: RoomLink, userId: UserId): Promise<void> => {
    const { muc, password } = link;
    // It hears what the others say, and is the one who sees whether there is such a room.
    if (userId !== bot && seats.of(muc, bot)?.state !== "in") {
      deps.throwIfUnwanted(link, bot);
      await enter(link, bot);
    }
    const x = xml(
      "x",
      { xmlns: NS.muc },
      xml("history", await historyOf(link, userId)),
      ...(password === undefined ? [] : [xml("password", {}, password)]),
    );
    const displayName = await displayNameOf(link, userId);
    const nicks = nicksOf(link, userId, displayName, seats.of(muc, userId)?.nick);
    if (userId === bot) {
      await seats.expect(muc, userId, seats.of(muc, userId)?.nick ?? "", "out");
      seats.forgetOthers(muc);
      deps.onBotEntering(link);
    }
    let refused = await askWithNicks(link, userId, displayName, nicks, [x]);
    if (refused?.condition === "not-acceptable") {
      const nick = await reservedNick(muc, userId);
      if (nick) refused = await askWithNicks(link, userId, displayName, [nick], [x]);
    }
    if (refused) await onRefused(link, userId, refused);
    const seat = seats.of(muc, userId);
    if (seat && displayName !== undefined) seat.displayName = displayName;
    log.info("entered a room", { muc, user: userId, nick: seat?.nick });
  };

  const enter: Joining["enter"] = (link, userId) =>
    locks.run(`${link.muc} ${userId}`, async () => {
      if (seats.of(link.muc, userId)?.state !== "in") await join(link, userId);
      return jidOf(userId);
    });

  const enterAgain: Joining["enterAgain"] = async (link, userId) => {
    await locks.run(`${link.muc} ${userId}`, () => join(link, userId));
    return jidOf(userId);
  };

  const change = async (link: RoomLink, seat: Seat, name: string): Promise<void> => {
    const { muc } = link;
    const { userId, nick: before } = seat;
    for (const nick of nicksOf(link, userId, name)) {
      if (nick === before) return;
      const refused = await askWithNicks(link, userId, name, [nick], []);
      if (!refused) return log.info("has another nick", { muc, user: userId, nick: seat.nick, before });
      if (joinRefusalOf(refused, muc, bareOf(jidOf(userId))).kind === "nick") continue;
      throw new UndeliverableError("cancel", "not-allowed", `${muc} does not let nicks be changed.`);
    }
  };

  return {
    enterAgain,
    enter,

    leave: ({ muc }, userId, reason) =>
      locks.run(`${muc} ${userId}`, async () => {
        const seat = seats.of(muc, userId);
        // What fails is tried again, as long as there is a seat.
        if (seat?.state === "in") await sendLeave(muc, userId, seat.nick, reason);
        await seats.remove(muc, userId);
      }),

    rename: (link, userId, displayName) =>
      locks.run(`${link.muc} ${userId}`, async () => {
        const seat = seats.of(link.muc, userId);
        if (seat?.state !== "in" || seat.displayName === displayName) return;
        const isKnown = seat.displayName !== undefined;
        seat.displayName = displayName;
        if (isKnown || !isNickOf(seat.nick, { displayName, userId })) await change(link, seat, displayName);
      }),

    choose: (link, userId, nick) =>
      locks.run(`${link.muc} ${userId}`, async () => {
        const seat = seats.of(link.muc, userId);
        if (seat?.state === "in") await change(link, seat, nick);
      }),
  };
}
