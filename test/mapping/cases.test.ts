/** The pairs of test/cases about what refers to other messages, and what is known of those when one is mapped. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { suite, test } from "node:test";
import { fileToStanzas } from "../../src/mapping/files.ts";
import { toContents, toStanza } from "../../src/mapping/messages.ts";
import { asReaction, reactionChanges, reactionsIn, reactionsStanza } from "../../src/mapping/reactions.ts";
import { retractions } from "../../src/mapping/redactions.ts";
import { type KnownMessage, referencesOfStanza } from "../../src/mapping/references.ts";
import {
  type EventFacts,
  relateContent,
  relateStanzas,
  type StanzaFacts,
  saidBy,
  saidIn,
} from "../../src/mapping/relations.ts";
import { readSharedLinks } from "../../src/mapping/shared-links.ts";
import type { Content, MatrixEvent } from "../../src/matrix/event.ts";
import type { EventId, RoomId, UserId } from "../../src/matrix/ids.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";
import { type Element, parseStanza, serialize } from "../../src/xmpp/stanza.ts";

interface ToXmpp {
  way: "to XMPP";
  event: { type?: string; content: Content };
  known?: EventFacts & { target?: KnownMessage; keys?: string[]; parts?: KnownMessage[] };
  /** Each without its origin ID. */
  stanzas: string[];
}

interface ToMatrix {
  way: "to Matrix";
  stanza: string;
  known?: StanzaFacts & { reactions?: { eventId: EventId; key: string }[] };
  /** Of m.room.message events, or what happens instead. */
  contents?: Content[];
  changes?: { add: string[]; remove: string[] };
  /** That are to be copied, ahead of the contents. */
  files?: object[];
  retracts?: string;
}

const way = {
  from: "juliet%hs.example@bridge.xmpp.example" as BareJid,
  to: "romeo@xmpp.example" as BareJid,
};
const head = { ...way, id: "$1" };
const jids: Record<string, BareJid> = { "@juliet:hs.example": way.from, "@_xmpp_romeo:hs.example": way.to };

const media = {
  linkOf: ({ name }: { name: string }) => `https://bridge.example/media/${name}`,
  maxBytes: 1024 * 1024,
};

function stanzasOf({ event, known = {} }: ToXmpp): Element[] {
  const whole: MatrixEvent = {
    event_id: "$1" as EventId,
    type: "m.room.message",
    room_id: "!r:hs.example" as RoomId,
    sender: "@juliet:hs.example" as UserId,
    origin_server_ts: 0,
    ...event,
  };
  if (known.parts) return retractions(head, known.parts);
  const reaction = whole.type === "m.reaction" ? asReaction(whole, known.target) : undefined;
  if (reaction) return [reactionsStanza(head, reaction.id, [...(known.keys ?? []), reaction.key])];
  const file = fileToStanzas(saidBy(whole), head, media);
  const crossing = file ?? toStanza(saidBy(whole), { ...way, jidOf: (userId) => jids[userId] });
  assert.ok(crossing.kind === "stanza" || crossing.kind === "stanzas");
  const said = crossing.kind === "stanza" ? [crossing.stanza] : crossing.stanzas;
  const reply = known.target && { target: known.target, quote: undefined };
  return relateStanzas(said, whole, reply ? { reply } : known);
}

const withoutOriginId = (stanza: Element): string => serialize(stanza).replace(/<origin-id [^>]*\/>/, "");

const contentsOf = (stanza: Element, known: StanzaFacts): Content[] =>
  toContents(saidIn(stanza, known)).map((content) => relateContent(content, known));

const cases = new URL("../cases/", import.meta.url);
const features = [
  "edits",
  "files",
  "locations",
  "mentions",
  "polls",
  "reactions",
  "redactions",
  "replies",
  "threads",
];
for (const feature of features) {
  const folder = new URL(`${feature}/`, cases);
  suite(feature, () => {
    for (const file of readdirSync(folder).sort()) {
      const one = JSON.parse(readFileSync(new URL(file, folder), "utf8")) as ToXmpp | ToMatrix;
      test(`${one.way}: ${basename(file, ".json").replaceAll("-", " ")}`, () => {
        if (one.way === "to XMPP") {
          const shown = `<message type="chat" from="${way.from}" to="${way.to}"`;
          assert.deepEqual(
            stanzasOf(one).map(withoutOriginId),
            one.stanzas.map((inside) => inside.replace("<message", shown)),
          );
          return;
        }
        const stanza = parseStanza(`<message type="chat">${one.stanza}</message>`);
        const { known = {} } = one;
        const shared = readSharedLinks(stanza);
        if (one.files) assert.deepEqual(JSON.parse(JSON.stringify(shared?.files)), one.files);
        if (one.changes) {
          assert.deepEqual(reactionChanges(known.reactions ?? [], reactionsIn(stanza)), one.changes);
        } else if (one.contents) assert.deepEqual(contentsOf(shared?.rest ?? stanza, known), one.contents);
        assert.equal(referencesOfStanza(stanza).retracts, one.retracts);
      });
    }
  });
}
