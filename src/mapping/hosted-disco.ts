/** What a hosted room says of itself: XEP-0045 1.35 §6.4, by XEP-0030 2.5 and XEP-0128 1.0.1; XEP-0486 0.1. */
import { NS } from "../xmpp/namespaces.ts";
import { type Element, xml } from "../xmpp/stanza.ts";
import { type FormField, formElement } from "./data-forms.ts";

export interface HostedProfile {
  name: string;
  topic: string | undefined;
  occupants: number | undefined;
  /** As in `m.room.join_rules`. */
  joinRule: string;
  /** Anybody may find it: it has an address that resolves, or is in a directory. */
  isPublic: boolean;
  isModerated: boolean;
  /** Whether those who may speak may change the topic; undefined where that is not known. */
  mayChangeTopic: boolean | undefined;
  /** SHA-1 in hex, "" for no picture; undefined where that is not known in time. */
  avatarHash: string | undefined;
  historyMessages: number;
}

const always = [
  NS.discoInfo,
  NS.discoItems,
  NS.muc,
  NS.mucStableId,
  NS.mucSelfPing,
  NS.mam,
  NS.mamExtended,
  NS.stableId,
  NS.occupantId,
  NS.vcard,
  NS.moderate,
  NS.ping,
  NS.register,
  "muc_persistent",
  "muc_nonanonymous",
  "muc_unsecured",
];

/** Whether everybody may enter, invited or not. */
const isOpen = (joinRule: string): boolean => joinRule === "public";

export const mucIdentity = (name: string): Element =>
  xml("identity", { category: "conference", type: "text", name });

const booleanField = (name: string, value: boolean): FormField => ({
  name,
  type: "boolean",
  values: [value ? "1" : "0"],
});
const textField = (name: string, value: string): FormField => ({
  name,
  type: "text-single",
  values: [value],
});

/** The children of the answer to disco#info. */
export function hostedInfo(room: HostedProfile): Element[] {
  const { name, topic = "", occupants, avatarHash, mayChangeTopic } = room;
  const features = [
    ...always,
    isOpen(room.joinRule) ? "muc_open" : "muc_membersonly",
    room.isPublic ? "muc_public" : "muc_hidden",
    room.isModerated ? "muc_moderated" : "muc_unmoderated",
  ];
  const form = formElement("result", NS.mucRoomInfo, [
    textField("muc#roominfo_description", topic),
    textField("muc#roominfo_subject", topic),
    textField("muc#roomconfig_roomname", name),
    ...(mayChangeTopic === undefined ? [] : [booleanField("muc#roomconfig_changesubject", mayChangeTopic)]),
    ...(occupants === undefined ? [] : [textField("muc#roominfo_occupants", String(occupants))]),
    ...(avatarHash === undefined
      ? []
      : [
          {
            name: "muc#roominfo_avatarhash",
            type: "text-multi" as const,
            values: avatarHash ? [avatarHash] : [],
          },
        ]),
    textField("muc#maxhistoryfetch", String(room.historyMessages)),
  ]);
  return [mucIdentity(name), ...features.map((feature) => xml("feature", { var: feature })), form];
}
