/** What a portal is made as: createRoom (Client-Server API v1.15), with what it says of itself (MSC2346). */
import type { MucInfo } from "../mapping/muc-info.ts";
import type { Content } from "../matrix/event.ts";
import { localpartOf, type RoomAlias, type UserId } from "../matrix/ids.ts";
import { type BareJid, domainOf } from "../xmpp/jid.ts";

/** State event that says whose portal a room is, so that a room whose creation was interrupted is found again. */
export const markType = "causeway.portal";
/** MSC2346, under its coming and its present name. */
export const bridgeTypes: readonly string[] = ["m.bridge", "uk.half-shot.bridge"];

export interface Portal {
  muc: BareJid;
  bot: UserId;
  name: string;
  /** Left out for a room that was there before. */
  alias?: RoomAlias;
  info?: MucInfo;
  /** An mxc:// URI. */
  picture?: string | undefined;
}

interface InitialState {
  type: string;
  state_key: string;
  content: Content;
}

/** Who may come in: whoever may come into the MUC without asking anybody. */
const isOpen = (info: MucInfo | undefined): boolean =>
  info !== undefined && !info.isMembersOnly && !info.isPasswordProtected;

/** What it takes to change what belongs to both sides, or cannot be taken back. */
const powerLevels = {
  events: {
    "m.room.name": 50,
    "m.room.topic": 50,
    "m.room.avatar": 50,
    "m.room.canonical_alias": 100,
    "m.room.encryption": 100,
    "m.room.history_visibility": 100,
    "m.room.join_rules": 100,
    "m.room.power_levels": 100,
    "m.room.server_acl": 100,
    "m.room.tombstone": 100,
  },
  invite: 0,
};

export function portalRoom({ muc, bot, name, alias, info, picture }: Portal): Content & {
  initial_state: InitialState[];
} {
  const bridge = {
    bridgebot: bot,
    creator: bot,
    protocol: { id: "xmpp", displayname: "XMPP" },
    network: { id: domainOf(muc), displayname: domainOf(muc) },
    channel: { id: muc, displayname: name, external_url: `xmpp:${muc}?join` },
  };
  const topic = info?.subject ?? info?.description;
  return {
    preset: isOpen(info) ? "public_chat" : "private_chat",
    visibility: "private",
    name,
    ...(topic !== undefined && { topic }),
    ...(alias !== undefined && { room_alias_name: localpartOf(alias) }),
    power_level_content_override: powerLevels,
    initial_state: [
      { type: markType, state_key: "", content: { muc } },
      ...bridgeTypes.map((type) => ({ type, state_key: muc, content: bridge })),
      ...(picture === undefined
        ? []
        : [
            {
              type: "m.room.avatar",
              state_key: "",
              content: { url: picture, "causeway.sha1": info?.avatarHash },
            },
          ]),
    ],
  };
}
