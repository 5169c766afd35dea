/** Typing: m.typing (Client-Server API v1.15, "Typing Notifications") <-> chat states (XEP-0085 2.1). */
import type { BareJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, xml } from "../xmpp/stanza.ts";

/** It has no ID: an error about it is nothing that anybody has to be told. */
export const toChatState = (typing: boolean, { from, to }: { from: BareJid; to: BareJid }): Element =>
  xml(
    "message",
    { type: "chat", from, to },
    xml(typing ? "composing" : "paused", { xmlns: NS.chatStates }),
    // XEP-0334: nobody needs it in an archive or later.
    xml("no-store", { xmlns: NS.hints }),
  );

const states: Record<string, boolean> = {
  active: false,
  composing: true,
  gone: false,
  inactive: false,
  paused: false,
};

/** Whether the sender is typing, as the message tells: one that says something ends it; undefined where it tells nothing. */
export function readTyping(message: Element): boolean | undefined {
  const name = readChild(message, NS.chatStates)?.getName();
  if (message.attrs.type === "error" || message.attrs.type === "groupchat") return undefined;
  if (message.getChild("body")) return false;
  return name !== undefined && Object.hasOwn(states, name) ? states[name] : undefined;
}
