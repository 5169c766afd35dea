/** What a room of an XMPP service says of itself: XEP-0045 1.35 §6.4 and §15.2, by XEP-0030 and XEP-0128; XEP-0486 0.1. */
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, xmlSafe } from "../xmpp/stanza.ts";

export interface MucInfo {
  /** False for people, services and anything else that answers. */
  isMuc: boolean;
  name: string | undefined;
  description: string | undefined;
  subject: string | undefined;
  isMembersOnly: boolean;
  isPasswordProtected: boolean;
  isModerated: boolean;
  /** Real JIDs are for moderators only. */
  isAnonymous: boolean;
  /** Anybody may find it. */
  isPublic: boolean;
  isPersistent: boolean;
  occupants: number | undefined;
  /** SHA-1 in hex, "" for no picture; undefined where nothing is said of one. */
  avatarHash: string | undefined;
  /** What the room vouches for, such as `NS.occupantId`. */
  features: ReadonlySet<string>;
}

/** By the variable of each, the first value; empty ones are left out. */
function fieldsOf(query: Element): Map<string, string> {
  const forms = query.getChildren("x", NS.dataForm);
  const valuesOf = (form: Element): [string, string][] =>
    form.getChildren("field").flatMap((field): [string, string][] => {
      const value = field.getChildText("value");
      return field.attrs.var && value ? [[String(field.attrs.var), xmlSafe(value)]] : [];
    });
  const all = forms.map(valuesOf).map((fields) => new Map(fields));
  return all.find((fields) => fields.get("FORM_TYPE") === NS.mucRoomInfo) ?? new Map();
}

/** @param query the result of disco#info on a bare JID. */
export function readMucInfo(query: Element): MucInfo {
  const features = new Set(query.getChildren("feature").map(({ attrs }) => String(attrs.var)));
  const identities = query.getChildren("identity").map(({ attrs }) => attrs);
  const conference = identities.find(({ category }) => category === "conference");
  const fields = fieldsOf(query);
  const name: unknown = conference?.name || fields.get("muc#roomconfig_roomname");
  const occupants = Number.parseInt(fields.get("muc#roominfo_occupants") ?? "", 10);
  const hash = fields.get("muc#roominfo_avatarhash");
  const hasVcard = features.has(NS.vcard);
  return {
    isMuc: conference !== undefined && features.has(NS.muc),
    name: typeof name === "string" && name ? xmlSafe(name) : undefined,
    description: fields.get("muc#roominfo_description"),
    subject: fields.get("muc#roominfo_subject"),
    isMembersOnly: features.has("muc_membersonly"),
    isPasswordProtected: features.has("muc_passwordprotected"),
    isModerated: features.has("muc_moderated"),
    // Whoever does not say that all may see real JIDs is taken for one who keeps them.
    isAnonymous: !features.has("muc_nonanonymous"),
    isPublic: features.has("muc_public") && !features.has("muc_hidden"),
    isPersistent: features.has("muc_persistent"),
    occupants: Number.isNaN(occupants) ? undefined : occupants,
    avatarHash: hash?.toLowerCase() ?? (hasVcard ? "" : undefined),
    features,
  };
}

/** What `readMucInfo` was given, out of the answer to an IQ. */
export const infoQueryOf = (result: Element): Element | undefined => readChild(result, NS.discoInfo, "query");
