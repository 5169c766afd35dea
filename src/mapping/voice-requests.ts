/** Asking for voice and granting it, by forms in messages: XEP-0045 1.35 §7.13 and §8.6. */
import { type BareJid, bareOf, type FullJid, type Jid, parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, xml } from "../xmpp/stanza.ts";
import { formElement, readFlag, readForm } from "./data-forms.ts";

export type VoiceMessage =
  | { kind: "request" }
  | { kind: "approval"; jid: BareJid | undefined; nick: string | undefined; isAllowed: boolean };

/** @returns undefined for messages that are about something else. */
export function readVoiceMessage(message: Element): VoiceMessage | undefined {
  const form = readForm(message);
  if (form?.formType !== NS.mucRequest || form.type === "cancel") return undefined;
  const first = (name: string): string | undefined => form.values.get(name)?.[0] || undefined;
  const isAllowed = readFlag(form.values, "muc#request_allow");
  if (isAllowed === undefined) return first("muc#role") === "participant" ? { kind: "request" } : undefined;
  const jid = first("muc#jid");
  return {
    kind: "approval",
    jid: jid !== undefined && parseJid(jid) ? bareOf(jid as Jid) : undefined,
    nick: first("muc#roomnick"),
    isAllowed,
  };
}

/** What a room is asked by an occupant who may not speak. */
export const voiceRequest = (head: { from: FullJid; to: BareJid; id: string }): Element =>
  xml(
    "message",
    { ...head },
    formElement("submit", NS.mucRequest, [
      { name: "muc#role", type: "list-single", values: ["participant"] },
    ]),
  );

/** What a moderator is asked. */
export const voiceForm = (
  head: { from: BareJid; to: FullJid; id: string },
  asker: { jid: Jid; nick: string },
): Element =>
  xml(
    "message",
    { ...head },
    formElement(
      "form",
      NS.mucRequest,
      [
        { name: "muc#role", type: "list-single", label: "Requested role", values: ["participant"] },
        { name: "muc#jid", type: "jid-single", label: "Address", values: [asker.jid] },
        { name: "muc#roomnick", type: "text-single", label: "Nickname", values: [asker.nick] },
        { name: "muc#request_allow", type: "boolean", label: "Let them speak?", values: ["0"] },
      ],
      { title: "Request for voice", instructions: `${asker.nick} would like to speak here.` },
    ),
  );
