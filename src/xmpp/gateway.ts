/** How a client learns the address of somebody on the other network: jabber:iq:gateway of XEP-0100 1.0 §6. */
import { type Answers, IqRefusal } from "./iq-answer.ts";
import type { BareJid } from "./jid.ts";
import { NS } from "./namespaces.ts";
import { type Element, xml } from "./stanza.ts";

export interface GatewayDeps {
  /** The JID of the Matrix user whose ID was typed; undefined where it is none. */
  jidOfTyped(text: string): BareJid | undefined;
}

const question = (): Element =>
  xml(
    "query",
    { xmlns: NS.gateway },
    xml("desc", {}, "Enter the Matrix ID of the person you want to write to, such as @alice:matrix.example."),
    xml("prompt", {}, "Matrix ID"),
  );

export const gatewayAnswers = ({ jidOfTyped }: GatewayDeps): Answers => ({
  [`get ${NS.gateway} query`]: question,
  [`set ${NS.gateway} query`]: ({ payload }) => {
    const typed = payload.getChildText("prompt")?.trim();
    if (!typed) throw new IqRefusal("modify", "bad-request", "There is no prompt with a Matrix ID.");
    const jid = jidOfTyped(typed);
    if (!jid) throw new IqRefusal("modify", "jid-malformed", "A Matrix ID looks like @alice:matrix.example.");
    return xml("query", { xmlns: NS.gateway }, xml("jid", {}, jid));
  },
});
