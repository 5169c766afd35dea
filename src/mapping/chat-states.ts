/** Typing: m.typing (Client-Server API v1.15, "Typing Notifications") <-> chat states (XEP-0085 2.1). */
import type { Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, xml } from "../xmpp/stanza.ts";

/** It has no ID: an error about it is nothing that anybody has to be told. */
export const toChatState = (
  typing: boolean,
  { from, to }: { from: Jid; to: Jid },
  type: "chat" | "groupchat" = "chat",
): Element =>
  xml(
    "message",
    { type, from, to },
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

/** As `saysTyping`, in a conversation of one with one. */
export const readTyping = (message: Element): boolean | undefined =>
  message.attrs.type === "groupchat" ? undefined : saysTyping(message);

/** Whether the sender is typing, as the message tells: one that says something ends it; undefined where it tells nothing. */
export function saysTyping(message: Element): boolean | undefined {
  const name = readChild(message, NS.chatStates)?.getName();
  if (message.attrs.type === "error") return undefined;
  if (message.getChild("body")) return false;
  return name !== undefined && Object.hasOwn(states, name) ? states[name] : undefined;
}
