/** A Matrix room that Juliet has made, and XMPP users who enter it: what flow tests of hosted rooms begin with. */
import type { TestContext } from "node:test";
import { xml } from "../../src/xmpp/stanza.ts";
import { waitFor } from "../support/wait-for.ts";
import { setScene } from "./scene.ts";

const muc = "http://jabber.org/protocol/muc";

export async function setHostedScene(t: TestContext, invite: string[] = []) {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const roomId = scene.juliet.createRoom({ preset: "public_chat", name: "The garden", invite });
  const address = `${roomId.replace(":", "%")}@bridge.xmpp.test`;

  const stanzasOf = (user: typeof scene.romeo, name: string) =>
    user.inbox.filter((stanza) => stanza.name === name && String(stanza.attrs.from).startsWith(address));

  return {
    ...scene,
    bridge,
    roomId,
    /** The room's, on XMPP. */
    address,
    stanzasOf,
    /** Resolves once the user has been told the subject. */
    async enter(user: typeof scene.romeo, nick: string): Promise<void> {
      const wish = xml("x", { xmlns: muc }, xml("history", { maxstanzas: "0" }));
      await user.send(xml("presence", { to: `${address}/${nick}` }, wish));
      const isIn = () => stanzasOf(user, "message").some((stanza) => stanza.getChild("subject"));
      await waitFor(isIn, `${nick} to be in the room`);
    },
    /** What the user has heard in the room: nick and body. */
    heard: (user: typeof scene.romeo): string[] =>
      stanzasOf(user, "message").flatMap((stanza) => {
        const body = stanza.getChildText("body");
        return body ? `${String(stanza.attrs.from).split("/")[1]}: ${body}` : [];
      }),
    /** The notices in the Matrix room, each with the event that it answers. */
    notices: () =>
      scene.juliet
        .timeline(roomId)
        .filter(({ content }) => content.msgtype === "m.notice")
        .map(({ sender, content }) => ({ sender, body: content.body, about: content["m.relates_to"] })),
  };
}
