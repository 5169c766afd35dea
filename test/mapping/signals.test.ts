/** The cases of test/cases/signals and test/cases/profiles, and what holds for any input. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { suite, test } from "node:test";
import fc from "fast-check";
import { readTyping, toChatState } from "../../src/mapping/chat-states.ts";
import { type Availability, readPresence, toAvailability, toPresence } from "../../src/mapping/presence.ts";
import {
  nameOf,
  readAvatarData,
  readAvatarId,
  readNick,
  readPhotoHash,
  readVcard,
  readVcard4,
  toNick,
  toPhotoHash,
} from "../../src/mapping/profiles.ts";
import { readRequest, readWord, requests, toWord, type Word } from "../../src/mapping/receipts.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";
import { type Element, parseStanza, serialize, xml } from "../../src/xmpp/stanza.ts";

const romeo = "romeo@xmpp.example" as BareJid;
const ends = { from: "juliet%hs.example@bridge.xmpp.example" as BareJid, to: romeo };

/** A case has one of the fields that are no stanza, or none where the stanza says nothing. */
interface Case {
  way: "both" | "to XMPP" | "to Matrix";
  /** What is in the stanza. */
  stanza?: string;
  type?: string;
  typing?: boolean;
  word?: Word;
  presence?: Availability;
  activeAt?: string;
  nick?: string;
  hash?: string;
  name?: string;
  shown?: string;
  vcard?: string;
  card?: { name?: string; photo?: string };
}

const inside = (stanza: Element): string => stanza.getChildElements().map(serialize).join("");

const toXmpp = ({ typing, word, presence, activeAt, nick, hash }: Case): Element => {
  if (typing !== undefined) return toChatState(typing, ends);
  if (word) return toWord(word, ends);
  if (nick !== undefined) return xml("presence", {}, toNick(nick));
  if (hash !== undefined) return xml("presence", {}, toPhotoHash(hash));
  const { type, children } = toPresence(presence, activeAt);
  return xml("presence", { ...(type && { type }) }, ...children);
};

/** All that a stanza says, in the words of a case. */
const heard = (text: string): Omit<Case, "way"> => {
  const message = parseStanza(`<message type="chat">${text}</message>`);
  const presence = parseStanza(`<presence>${text}</presence>`);
  const resource = readPresence(presence);
  const [typing, word, nick, hash] = [
    readTyping(message),
    readWord(message),
    readNick(presence),
    readPhotoHash(presence),
  ];
  return {
    ...(typing !== undefined && { typing }),
    ...(word && { word }),
    ...(nick !== undefined && { nick }),
    ...(hash !== undefined && { hash }),
    ...(resource && { presence: toAvailability([resource]) }),
  };
};

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

function check(one: Case): void {
  const { way, stanza = "", type, name, shown, vcard, card, ...said } = one;
  if (name !== undefined) {
    assert.equal(nameOf(name, romeo), shown);
    return;
  }
  if (vcard !== undefined) {
    const read = readVcard(
      parseStanza(`<iq><vCard xmlns="vcard-temp">${vcard}</vCard></iq>`).getChildElements()[0] as Element,
    );
    assert.deepEqual(plain({ name: read.name, photo: read.photo?.toString() }), card);
    return;
  }
  if (way !== "to Matrix") {
    const sent = toXmpp(one);
    assert.deepEqual([inside(sent), sent.name === "presence" ? sent.attrs.type : undefined], [stanza, type]);
  }
  if (way === "to XMPP") return;
  // Every stanza has some presence; where a case says nothing of it, it is no case about presence.
  const { presence, ...rest } = heard(stanza);
  assert.deepEqual(plain(said.presence ? { presence, ...rest } : rest), said);
}

for (const folder of ["signals", "profiles"]) {
  const path = new URL(`../cases/${folder}/`, import.meta.url);
  suite(folder, () => {
    for (const file of readdirSync(path).sort()) {
      const one = JSON.parse(readFileSync(new URL(file, path), "utf8")) as Case;
      test(`${basename(file, ".json").replaceAll("-", " ")} (${one.way})`, () => check(one));
    }
  });
}

test("errors and messages of rooms say nothing of typing or receipts, and ask for nothing", () => {
  for (const type of ["error", "groupchat"]) {
    const message = parseStanza(
      `<message type="${type}" id="m"><composing xmlns="http://jabber.org/protocol/chatstates"/>` +
        `<displayed xmlns="urn:xmpp:chat-markers:0" id="x"/><request xmlns="urn:xmpp:receipts"/></message>`,
    );
    assert.deepEqual(
      [readTyping(message), readWord(message), readRequest(message)],
      [undefined, undefined, undefined],
    );
  }
});

test("a message asks for receipts only if it has an ID and is no receipt itself", () => {
  const asks = (id: string | undefined, ...more: Element[]) =>
    readRequest(xml("message", { type: "chat", ...(id !== undefined && { id }) }, ...requests(), ...more));
  assert.equal(asks("m1"), "m1");
  assert.equal(asks(undefined), undefined);
  assert.equal(asks(""), undefined);
  assert.equal(asks("m1", xml("received", { xmlns: "urn:xmpp:receipts", id: "m0" })), undefined);
});

test("the most present resource counts, and none is offline", () => {
  const resource = (show: "" | "chat" | "away" | "xa" | "dnd", status?: string) => ({ show, status });
  assert.deepEqual(toAvailability([]), { presence: "offline" });
  const all = [resource("xa", "a"), resource("away", "b"), resource("", "c"), resource("dnd", "d")];
  assert.deepEqual(toAvailability(all), { presence: "online", status: "c" });
  assert.deepEqual(toAvailability(all.slice(0, 2)), { presence: "unavailable", status: "b" });
});

test("a name is never an address of somebody else, never invisible and never long, whatever it was", () => {
  const parts = fc.constantFrom(
    "@",
    ":",
    "a",
    "b.example",
    " ",
    "\u202e",
    "\u200b",
    "\u0000",
    "＠",
    "：",
    "🌹",
    "\ud800",
  );
  const names = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(parts).map((all) => all.join("")),
  );
  fc.assert(
    fc.property(names, (name) => {
      const shown = nameOf(name, romeo);
      assert.ok(shown !== "" && [...shown].length <= 100 && shown.isWellFormed());
      assert.doesNotMatch(shown, /[\p{Cc}\u200b\u202e]/u);
      if (shown !== romeo) assert.doesNotMatch(shown, /\S@\S|@\S+:\S/);
      assert.equal(nameOf(shown, romeo), shown);
    }),
    { numRuns: 1000 },
  );
});

test("any text that is a name, an ID or a status comes out of a stanza that can be parsed", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const { children } = toPresence({ presence: "online", status: text });
      const presence = xml("presence", {}, toNick(text), ...children);
      assert.doesNotThrow(() => parseStanza(serialize(presence)));
      assert.doesNotThrow(() => parseStanza(serialize(toWord({ kind: "displayed", id: text }, ends))));
    }),
  );
});

test("pictures and names of PEP are read, and what is too large or elsewhere is left alone", () => {
  const payload = (text: string): Element => parseStanza(`<iq>${text}</iq>`).getChildElements()[0] as Element;
  const metadata = (...infos: string[]) =>
    payload(`<metadata xmlns="urn:xmpp:avatar:metadata">${infos.join("")}</metadata>`);
  assert.equal(readAvatarId(metadata('<info id="a" bytes="5" type="image/png"/>')), "a");
  assert.equal(
    readAvatarId(
      metadata('<info id="a" bytes="5" url="http://127.0.0.1/"/>', '<info id="b" bytes="9999999"/>'),
    ),
    undefined,
  );
  assert.equal(readAvatarId(metadata('<info id="a"/>')), undefined);
  assert.equal(readAvatarId(metadata()), undefined);
  assert.equal(readAvatarData(payload("<data> aGVs bG8= </data>"))?.toString(), "hello");
  assert.equal(readAvatarData(payload(`<data>${"A".repeat(1_500_000)}</data>`)), undefined);
  const vcard4 = (text: string) =>
    readVcard4(payload(`<vcard xmlns="urn:ietf:params:xml:ns:vcard-4.0">${text}</vcard>`));
  assert.equal(vcard4("<fn><text>Romeo Montague</text></fn>"), "Romeo Montague");
  assert.equal(vcard4("<fn><text>R M</text></fn><nickname><text>Romeo</text></nickname>"), "Romeo");
  assert.equal(vcard4("<fn/>"), undefined);
});
