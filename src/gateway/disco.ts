/** What a hosted room tells of itself before anybody enters: service discovery, its picture, its members where all may see them. */
import { within } from "../bridge/within.ts";
import { hostedInfo, mucIdentity } from "../mapping/hosted-disco.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { IqRefusal } from "../xmpp/iq-answer.ts";
import { localOf } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { readChild, xml } from "../xmpp/stanza.ts";
import type { Photo } from "../xmpp/vcard.ts";
import { type Question, type RoomAnswers, type RoomProfile, sha1, stateFor } from "./question.ts";

export interface DiscoDeps {
  profileFor(question: Question): Promise<RoomProfile | undefined>;
  pictureOf(mxc: string): Promise<Photo | undefined>;
  avatars: {
    typeOf(bytes: Buffer): string | undefined;
    upload(picture: { type: string; bytes: Buffer }, ghost: Question["ghost"]): Promise<string>;
  };
  matrix: Pick<MatrixClient, "setState">;
  historyMessages: number;
}

const reservedNick = "x-roomuser-item";
/** Of a list that nobody reads to its end. */
const mostItems = 200;
/** The rest can be had without the picture's hash. */
const pictureMs = 1000;
const notFound = () =>
  new IqRefusal("cancel", "item-not-found", "There is no such room, or it is not for you.");

export function discoAnswers(deps: DiscoDeps): RoomAnswers {
  const { profileFor, pictureOf, matrix, avatars } = deps;
  const known = async (question: Question): Promise<RoomProfile> => {
    const profile = await profileFor(question);
    if (!profile) throw notFound();
    return profile;
  };

  const hashOf = async (avatarUrl: string | undefined): Promise<string | undefined> => {
    if (avatarUrl === undefined) return "";
    const photo = await within(pictureMs, pictureOf(avatarUrl));
    return photo && sha1(photo);
  };

  const nameOf = ({ name }: RoomProfile, { address }: Question): string =>
    name ?? localOf(address) ?? address;

  /** XEP-0045 §7.12. */
  const ownNick = async ({ room, ghost, guest }: Question) => {
    const isIn = guest ?? room.guests().find((other) => other.ghost === ghost);
    return isIn ? [mucIdentity(isIn.nick)] : [];
  };

  return {
    [`get ${NS.discoInfo} query`]: async (question) => {
      const { node } = question.payload.attrs;
      const profile = await known(question);
      if (node === reservedNick) {
        return xml("query", { xmlns: NS.discoInfo, node }, ...(await ownNick(question)));
      }
      if (node !== undefined) throw new IqRefusal("cancel", "item-not-found");
      const info = hostedInfo({
        name: nameOf(profile, question),
        topic: profile.topic,
        occupants: profile.members,
        joinRule: profile.joinRule,
        isPublic: profile.isPublic,
        isModerated: profile.isModerated,
        mayChangeTopic: profile.mayChangeTopic,
        avatarHash: await hashOf(profile.avatarUrl),
        historyMessages: deps.historyMessages,
      });
      return xml("query", { xmlns: NS.discoInfo }, ...info);
    },

    [`get ${NS.discoItems} query`]: async (question) => {
      const { room, address, payload } = question;
      const { isOpen, membership } = await known(question);
      if (payload.attrs.node !== undefined) throw new IqRefusal("cancel", "item-not-found");
      // §6.5: whoever is not in there sees who is only where all may.
      const isSeen = isOpen || membership === "join";
      const shown = isSeen && room.guests().length > 0 ? [...(await room.shown()).values()] : [];
      const items = shown.slice(0, mostItems).map(({ nick }) => xml("item", { jid: `${address}/${nick}` }));
      return xml("query", { xmlns: NS.discoItems }, ...items);
    },

    [`get ${NS.vcard} vCard`]: async (question) => {
      const profile = await known(question);
      const photo = profile.avatarUrl === undefined ? undefined : await pictureOf(profile.avatarUrl);
      return xml(
        "vCard",
        { xmlns: NS.vcard },
        xml("FN", {}, nameOf(profile, question)),
        ...(profile.topic === undefined ? [] : [xml("DESC", {}, profile.topic)]),
        ...(photo
          ? [xml("PHOTO", {}, xml("TYPE", {}, photo.type), xml("BINVAL", {}, photo.bytes.toString("base64")))]
          : []),
      );
    },

    /** XEP-0486 §4.2. */
    [`set ${NS.vcard} vCard`]: async (question) => {
      const { ghost, payload, room } = question;
      const state = await stateFor(question);
      if (!state.maySetState(ghost, "m.room.avatar")) {
        throw new IqRefusal("auth", "forbidden", "You may not change the picture of this room.");
      }
      const photo = readChild(payload, NS.vcard, "PHOTO") ?? payload.getChild("PHOTO");
      const base64 = photo?.getChildText("BINVAL") ?? "";
      if (base64 === "") {
        await matrix.setState(ghost, room.roomId, "m.room.avatar", {});
        return undefined;
      }
      const bytes = Buffer.from(base64.replace(/\s/g, ""), "base64");
      const type = avatars.typeOf(bytes);
      if (type === undefined)
        throw new IqRefusal("modify", "not-acceptable", "This is no picture that can be shown.");
      const url = await avatars.upload({ type, bytes }, ghost);
      await matrix.setState(ghost, room.roomId, "m.room.avatar", { url });
      return undefined;
    },
  };
}
