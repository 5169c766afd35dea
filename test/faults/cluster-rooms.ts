/** Nurse and Benvolio in an XMPP room and its portal, Nurse and Tybalt in a Matrix room, and what they say there. */
import { type Element, xml } from "../../src/xmpp/stanza.ts";
import type { FakeHomeserver } from "../support/fake-homeserver.ts";
import type { FakeProsody } from "../support/fake-prosody.ts";
import { waitFor } from "../support/wait-for.ts";
import type { Arrival, Column } from "./ledger.ts";

export interface RoomsDeps {
  homeserver: FakeHomeserver;
  prosody: FakeProsody;
}

/** Resolves once all are in. */
export async function meetInRooms({ homeserver, prosody }: RoomsDeps) {
  /** What the XMPP room said to the bridge in vain: nobody says it again. */
  const bounced = new Set<string>();
  const onBounce = (stanza: Element): void => void bounced.add(String(stanza.getChildText("body")));
  const orchard = prosody.muc("orchard", { onBounce });
  orchard.enter("benvolio@xmpp.test/street", "Benvolio");
  const [nurse, benvolio, tybalt] = [
    homeserver.user("nurse"),
    prosody.user("benvolio"),
    prosody.user("tybalt"),
  ];
  tybalt.answerIqs(({ attrs: { from, to, id } }) => xml("iq", { type: "result", from: to, to: from, id }));
  const linked = await nurse.joinAlias("#_xmpp_orchard=40conference.xmpp.test:hs.test");
  const hall = nurse.createRoom({ preset: "public_chat", name: "The hall" });
  const address = `${hall.replace(":", "%")}@${prosody.component}`;
  const wish = xml("x", { xmlns: "http://jabber.org/protocol/muc" });
  await tybalt.send(xml("presence", { to: `${address}/Tybalt` }, wish));
  const isIn = (): boolean => tybalt.inbox.some((stanza) => stanza.getChild("subject"));
  await waitFor(() => orchard.occupants.has("nurse") && isIn(), "all to be in their rooms");

  const said: Record<"portal" | "hall" | "orchard" | "guest", string[]> = {
    portal: [],
    hall: [],
    orchard: [],
    guest: [],
  };
  const next = (where: keyof typeof said): string => {
    const body = `${where}-${said[where].length}`;
    said[where].push(body);
    return body;
  };
  const heard = (user: typeof tybalt, where: keyof typeof said): Arrival[] =>
    user
      .messages()
      .map((stanza) => ({ id: String(stanza.attrs.id), body: String(stanza.getChildText("body")) }))
      .filter(({ body }) => body.startsWith(`${where}-`));
  const seen = (roomId: string, where: keyof typeof said): Arrival[] =>
    nurse
      .timeline(roomId)
      .filter(({ type, sender }) => type === "m.room.message" && sender !== nurse.userId)
      .map(({ event_id: id, content }) => ({ id, body: String(content.body) }))
      .filter(({ body }) => body.startsWith(`${where}-`));

  return {
    /** Each says something. */
    sayAll(): void {
      nurse.sendText(linked, next("portal"));
      nurse.sendText(hall, next("hall"));
      orchard.say("Benvolio", next("orchard"));
      const body = next("guest");
      void tybalt.send(xml("message", { type: "groupchat", to: address, id: body }, xml("body", {}, body)));
    },
    columns(mayDouble: number): Record<"toXmpp" | "toMatrix", Column[]> {
      const refused = new Set(tybalt.errors().map(({ attrs }) => String(attrs.id)));
      const column = (where: keyof typeof said, arrived: Arrival[], more: Partial<Column>): Column => ({
        name: where,
        sent: said[where],
        told: new Set(),
        arrived,
        mayDouble: 0,
        ...more,
      });
      return {
        toXmpp: [
          column("portal", heard(benvolio, "portal"), { mayDouble }),
          column("hall", heard(tybalt, "hall"), { mayDouble }),
        ],
        toMatrix: [
          column("orchard", seen(linked, "orchard"), { told: bounced }),
          column("guest", seen(hall, "guest"), { told: refused }),
        ],
      };
    },
  };
}
