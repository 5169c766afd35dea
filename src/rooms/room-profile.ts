/** Name, topic and picture of linked rooms: the MUC's subject and configuration on one side, state events on the other. */
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Avatars } from "../bridge/avatars.ts";
import type { Speaker } from "../bridge/conversation.ts";
import { UndeliverableError } from "../bridge/failure.ts";
import type { Attempt } from "../bridge/from-xmpp.ts";
import type { RoomState, RoomStates } from "../bridge/room-state.ts";
import { isShutOut, type Permissions } from "../config/permissions.ts";
import type { MucInfo } from "../mapping/muc-info.ts";
import { readVcard } from "../mapping/profiles.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { type MatrixEvent, readString } from "../matrix/event.ts";
import type { UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import type { RoomLink } from "../store/room-records.ts";
import { StanzaRefusedError, type XmppClient } from "../xmpp/client.ts";
import { isDelayed } from "../xmpp/delay.ts";
import { type BareJid, type FullJid, type Jid, localOf, resourceOf } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import type { IqRequests } from "../xmpp/requests.ts";
import { type Element, readText, xml, xmlSafe } from "../xmpp/stanza.ts";
import type { MucAdmin } from "./muc-admin.ts";
import type { MucInfos } from "./muc-infos.ts";
import type { Notice } from "./notices.ts";

export interface RoomProfileDeps {
  bot: UserId;
  component: BareJid;
  permissions: Permissions;
  infos: MucInfos;
  admin: MucAdmin;
  matrix: Pick<MatrixClient, "setState" | "thumbnail">;
  roomStates: RoomStates;
  avatars: Pick<Avatars, "typeOf" | "upload">;
  requests: Pick<IqRequests, "request">;
  xmpp: Pick<XmppClient, "send">;
  puppets: {
    ensure(link: RoomLink, userId: UserId): Promise<FullJid>;
    ensureBot(link: RoomLink): Promise<FullJid>;
    isOwn(muc: BareJid, signs: { nick: string }): boolean;
  };
  speakerOf(link: RoomLink, stanza: Element): Promise<Speaker>;
  notice: Notice;
  log: Log;
}

export interface RoomProfile {
  /** The subject of the MUC. */
  onSubject(link: RoomLink, message: Element, attempt: Attempt): Promise<void>;
  /** The MUC has changed (status 104), or the bot has come in: a portal looks like it. */
  follow(link: RoomLink): Promise<void>;
  /** Name, topic, picture or join rule were changed on Matrix. */
  onState(link: RoomLink, event: MatrixEvent): Promise<void>;
  /** What a portal is called that is about to be made. */
  nameOf(muc: BareJid, info: MucInfo): string;
  /** The picture of a MUC, on the homeserver now; undefined where it has none. */
  pictureOf(muc: BareJid, info: MucInfo): Promise<string | undefined>;
}

/** In the content of an avatar event: which picture of the MUC it is, so that it is fetched once. */
const hashKey = "causeway.sha1";
/** State event: what the MUC calls the picture that was set on Matrix, of which it has a small copy. */
const givenType = "causeway.picture";

const sha1 = (bytes: Buffer): string => createHash("sha1").update(bytes).digest("hex");
const isRefusal = (error: unknown): boolean => error instanceof MatrixError && error.status === 403;

export function createRoomProfile(deps: RoomProfileDeps): RoomProfile {
  const { bot, component, infos, admin, matrix, roomStates, avatars, requests, xmpp, puppets } = deps;
  const { permissions, speakerOf, notice, log } = deps;
  /** Pictures from Matrix, until the homeserver has pushed what is noted of them in the room. */
  const given = new LRUCache<BareJid, string>({ max: 1000 });

  /** By whoever did it, if they may on Matrix too; else by the bot, if that may. */
  const set = async (
    state: RoomState,
    type: string,
    content: Record<string, unknown>,
    by?: UserId,
  ): Promise<void> => {
    const actor = by !== undefined && state.maySetState(by, type) ? by : bot;
    if (!state.maySetState(actor, type)) return;
    try {
      await matrix.setState(actor, state.roomId, type, content);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      log.info("a room could not follow the XMPP room", { room: state.roomId, type, error });
    }
  };

  const photoOf = async (muc: BareJid): Promise<Buffer | undefined> => {
    const payload = xml("vCard", { xmlns: NS.vcard });
    try {
      const answer = await requests.request({ from: component, to: muc, payload, timeoutSeconds: 10 });
      const vcard = answer.getChild("vCard", NS.vcard);
      return vcard && readVcard(vcard).photo;
    } catch (error) {
      if (error instanceof StanzaRefusedError) return undefined;
      throw error;
    }
  };

  const uploadOf = async (muc: BareJid): Promise<{ url: string; hash: string } | undefined> => {
    const photo = await photoOf(muc);
    const type = photo && avatars.typeOf(photo);
    if (!photo || !type) return undefined;
    const hash = sha1(photo);
    return { url: await avatars.upload({ type, bytes: photo }, bot), hash };
  };

  /** Which of the MUC's pictures the Matrix room shows, "" for none of them. */
  const knownHash = (state: RoomState): string => {
    const shown = state.contentOf("m.room.avatar") ?? {};
    const last = state.contentOf(givenType) ?? {};
    const isGiven = last.url !== undefined && last.url === shown.url;
    return readString(isGiven ? last : shown, hashKey) ?? "";
  };

  const followPicture = async (state: RoomState, muc: BareJid, info: MucInfo): Promise<void> => {
    if (info.avatarHash === undefined || info.avatarHash === given.get(muc)) return;
    const known = knownHash(state);
    if (known === info.avatarHash) return;
    if (info.avatarHash === "") return set(state, "m.room.avatar", {});
    const picture = await uploadOf(muc);
    if (picture && picture.hash !== known) {
      await set(state, "m.room.avatar", { url: picture.url, [hashKey]: picture.hash });
    }
  };

  const nameOf = (muc: BareJid, { name }: MucInfo): string => name ?? localOf(muc) ?? muc;

  const sendSubject = async (link: RoomLink, event: MatrixEvent, topic: string): Promise<void> => {
    const from =
      link.mode === "puppets" ? await puppets.ensure(link, event.sender) : await puppets.ensureBot(link);
    const attrs = { type: "groupchat", from, to: link.muc, id: event.event_id };
    try {
      await xmpp.send(xml("message", attrs, xml("subject", {}, xmlSafe(topic))));
    } catch (error) {
      if (!(error instanceof StanzaRefusedError)) throw error;
      throw new UndeliverableError("auth", "forbidden", `You may not change the subject of ${link.muc}.`);
    }
  };

  const configure = async (link: RoomLink, event: MatrixEvent): Promise<void> => {
    const from = await puppets.ensureBot(link);
    const { muc, roomId } = link;
    const done = await change(from, muc, event);
    if (done) return log.info("an XMPP room follows its Matrix room", { cause: event.event_id, muc });
    const words = `${muc} keeps its own, since the bridge is not one of its owners.`;
    await notice(roomId, `That was changed here only. ${words}`, event.event_id);
  };

  const change = async (from: Jid, muc: BareJid, event: MatrixEvent): Promise<boolean> => {
    const { type, content, room_id: roomId } = event;
    if (type === "m.room.name") {
      return admin.configure(from, muc, { "muc#roomconfig_roomname": readString(content, "name") ?? "" });
    }
    if (type === "m.room.join_rules") {
      const isOpen = content.join_rule === "public";
      return admin.configure(from, muc, { "muc#roomconfig_membersonly": isOpen ? "0" : "1" });
    }
    const mxc = readString(content, "url");
    const photo = mxc ? await matrix.thumbnail(mxc) : undefined;
    if (mxc && !photo) return true;
    const hash = photo && sha1(photo.bytes);
    // Ahead of it, since the MUC tells of its picture at once.
    if (hash) given.set(muc, hash);
    if (hash) await set(await roomStates.of(bot, roomId), givenType, { url: mxc, [hashKey]: hash });
    return admin.setPhoto(from, muc, photo);
  };

  const isNews = async (muc: BareJid, { type, content }: MatrixEvent): Promise<boolean> => {
    const info = await infos.ask(muc).catch(() => undefined);
    if (type === "m.room.name") return info?.name !== readString(content, "name");
    if (type === "m.room.join_rules") return info?.isMembersOnly !== (content.join_rule !== "public");
    if (!content.url) return (info?.avatarHash ?? "") !== "";
    return readString(content, hashKey) === undefined || content[hashKey] !== info?.avatarHash;
  };

  return {
    nameOf,
    pictureOf: async (muc, info) => (info.avatarHash ? (await uploadOf(muc))?.url : undefined),

    async onSubject(link, message, { cause }) {
      const subject = readText(message, "subject") ?? "";
      const nick = resourceOf(message.attrs.from as Jid) ?? "";
      // What a room that was there before is about, was said there before.
      const isAbsent = nick === "" || isDelayed(message);
      if (link.kind === "plumbed" && isAbsent) return;
      const state = await roomStates.of(bot, link.roomId);
      if ((state.topic ?? "") === subject || (subject === "" && nick === "")) return;
      const isOurs = nick !== "" && puppets.isOwn(link.muc, { nick });
      // It comes from the Matrix room, which may be about something else by now.
      if (isOurs && !isAbsent) return;
      const by = isAbsent ? undefined : await speakerOf(link, message);
      if (by && isShutOut(permissions, by.jid))
        return log.info("left out: its sender may not use this bridge", { cause });
      await set(state, "m.room.topic", { topic: subject }, by?.ghost);
      log.info("the topic follows the subject", { cause, room: link.roomId });
    },

    async follow(link) {
      const info = await infos.ask(link.muc);
      if (link.kind !== "portal") return;
      const state = await roomStates.of(bot, link.roomId);
      const name = nameOf(link.muc, info);
      if (state.name !== name) await set(state, "m.room.name", { name });
      const topic = info.subject ?? info.description;
      if (topic !== undefined && state.topic === undefined) await set(state, "m.room.topic", { topic });
      await followPicture(state, link.muc, info);
    },

    async onState(link, event) {
      if (event.type === "m.room.topic") {
        const topic = readString(event.content, "topic") ?? "";
        return sendSubject(link, event, topic);
      }
      const isProfile = ["m.room.name", "m.room.avatar"].includes(event.type);
      // Who may come into a room that was there before, is decided on each side for itself.
      const isRule = event.type === "m.room.join_rules" && link.kind === "portal";
      if ((isProfile || isRule) && (await isNews(link.muc, event))) await configure(link, event);
    },
  };
}
