/** What moderators, admins and owners ask of a MUC: XEP-0045 1.35, §8 to §10, and its picture by XEP-0486 0.1. */

import { formElement } from "../mapping/data-forms.ts";
import type { Affiliation, Role } from "../xmpp/affiliation.ts";
import { StanzaRefusedError } from "../xmpp/client.ts";
import { type BareJid, bareJid, type Jid, parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import type { IqRequests } from "../xmpp/requests.ts";
import { type Element, xml } from "../xmpp/stanza.ts";

export interface MucAdmin {
  /** @returns whether the MUC has done so; false where it does not let that address do it. */
  setRole(from: Jid, muc: BareJid, nick: string, role: Role, reason?: string): Promise<boolean>;
  /** @param whom a real bare JID, or the nick of an occupant whose JID is not known. */
  setAffiliation(
    from: Jid,
    muc: BareJid,
    whom: { jid: BareJid } | { nick: string },
    affiliation: Affiliation,
    reason?: string,
  ): Promise<boolean>;
  /** The real address of an occupant, as the list of those with the role says; undefined where it is not for these eyes. */
  realJidOf(from: Jid, muc: BareJid, nick: string, role: Role): Promise<BareJid | undefined>;
  /** Changes these fields of the MUC's configuration and no others. */
  configure(from: Jid, muc: BareJid, fields: Readonly<Record<string, string>>): Promise<boolean>;
  /** @param photo undefined to have none. */
  setPhoto(from: Jid, muc: BareJid, photo: { type: string; bytes: Buffer } | undefined): Promise<boolean>;
}

const timeoutSeconds = 15;

const isNo = (error: unknown): boolean =>
  error instanceof StanzaRefusedError && ["auth", "cancel", "modify"].includes(error.error.type);

export function createMucAdmin({ request }: Pick<IqRequests, "request">): MucAdmin {
  const set = async (from: Jid, to: BareJid, payload: Element): Promise<boolean> => {
    try {
      await request({ from, to, type: "set", payload, timeoutSeconds });
      return true;
    } catch (error) {
      if (isNo(error)) return false;
      throw error;
    }
  };
  const change = (from: Jid, muc: BareJid, item: Record<string, string>, reason: string | undefined) => {
    const why = reason ? [xml("reason", {}, reason)] : [];
    return set(from, muc, xml("query", { xmlns: NS.mucAdmin }, xml("item", item, ...why)));
  };

  return {
    setRole: (from, muc, nick, role, reason) => change(from, muc, { nick, role }, reason),
    setAffiliation: (from, muc, whom, affiliation, reason) =>
      change(from, muc, { ...whom, affiliation }, reason),

    async realJidOf(from, muc, nick, role) {
      const payload = xml("query", { xmlns: NS.mucAdmin }, xml("item", { role }));
      try {
        const answer = await request({ from, to: muc, payload, timeoutSeconds });
        const items = answer.getChild("query", NS.mucAdmin)?.getChildren("item") ?? [];
        const jid = parseJid(String(items.find(({ attrs }) => attrs.nick === nick)?.attrs.jid ?? ""));
        return jid && bareJid(jid.local, jid.domain);
      } catch (error) {
        if (isNo(error)) return undefined;
        throw error;
      }
    },

    configure(from, muc, fields) {
      const values = Object.entries(fields).map(([name, value]) => ({ name, values: [value] }));
      const form = formElement("submit", NS.mucRoomConfig, values);
      return set(from, muc, xml("query", { xmlns: NS.mucOwner }, form));
    },

    setPhoto(from, muc, photo) {
      const children = photo
        ? [xml("PHOTO", {}, xml("TYPE", {}, photo.type), xml("BINVAL", {}, photo.bytes.toString("base64")))]
        : [];
      return set(from, muc, xml("vCard", { xmlns: NS.vcard }, ...children));
    },
  };
}
