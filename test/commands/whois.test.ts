import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { createWhois } from "../../src/commands/whois.ts";
import { createAddresses } from "../../src/mapping/addresses.ts";
import { StanzaRefusedError } from "../../src/xmpp/client.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";
import { type Element, parseStanza } from "../../src/xmpp/stanza.ts";
import { juliet } from "./sample.ts";

const addresses = createAddresses({
  homeserverDomain: "hs.example",
  component: "bridge.xmpp.example",
  userPrefix: "_xmpp_",
  digest: (text) => createHash("sha256").update(text).digest("hex"),
});

const info = (inside: string): Element =>
  parseStanza(
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'>${inside}</query></iq>`,
  );
const known: Record<string, Element> = {
  "friar@xmpp.example": info("<identity category='account' type='registered'/>"),
  "garden@rooms.xmpp.example": info("<identity category='conference' type='text' name='The Garden'/>"),
  "rooms.xmpp.example": info("<identity category='conference' type='text' name='Rooms'/>"),
};
const version = parseStanza(
  "<iq type='result'><query xmlns='jabber:iq:version'><name>Prosody</name><version>13</version></query></iq>",
);

const whois = createWhois({
  addresses,
  component: "bridge.xmpp.example" as BareJid,
  homeserverDomain: "hs.example",
  jidOfGhost: async (userId) => addresses.jidOfGhost(userId),
  profileOf: async (userId) => {
    if (userId === "@juliet:hs.example") return { displayName: "Juliet" };
    return userId.endsWith(":hs.example") ? undefined : { displayName: undefined };
  },
  async ask(to, payload) {
    if (to.endsWith("silent.example")) throw new Error("no answer");
    if (payload.attrs.xmlns === "jabber:iq:version" && to === "xmpp.example") return version;
    const answer = known[to];
    if (!answer) throw new StanzaRefusedError({ type: "cancel", condition: "service-unavailable" });
    return answer;
  },
});
const say = (address: string) => whois.run(juliet, { address });

const garden =
  "Its alias on Matrix is #_xmpp_garden=40rooms.xmpp.example:hs.example. To enter it: join garden@rooms.xmpp.example";
const aboutJuliet =
  "@juliet:hs.example (“Juliet”) is a Matrix user.\nOn XMPP it is juliet%hs.example@bridge.xmpp.example";
const aboutCafe =
  "#cafe:hs.example is a Matrix room.\nIts address on XMPP is #cafe%hs.example@bridge.xmpp.example";
const bridgeItself =
  "This is the bridge itself: @_xmpp_bot:hs.example on Matrix, bridge.xmpp.example on XMPP.";
const ghostOf = (jid: string) => addresses.ghostOf(jid as BareJid);

test("an address of either network is told with what it is on the other", async () => {
  const cases: Record<string, string> = {
    "friar@xmpp.example": `friar@xmpp.example is a person's account.\nThe server xmpp.example runs Prosody 13.\nOn Matrix it is ${ghostOf("friar@xmpp.example")}`,
    "romeo@xmpp.example/balcony": `romeo@xmpp.example is an XMPP address; it does not say to the bridge what it is.\nThe server xmpp.example runs Prosody 13.\nOn Matrix it is ${ghostOf("romeo@xmpp.example")}`,
    "romeo@silent.example": `romeo@silent.example is an XMPP address; it did not answer the bridge.\nOn Matrix it is ${ghostOf("romeo@silent.example")}`,
    "rooms.xmpp.example": `rooms.xmpp.example is a service with chat rooms (“Rooms”).\nOn Matrix it is ${ghostOf("rooms.xmpp.example")}`,
    "garden@rooms.xmpp.example": `garden@rooms.xmpp.example is a chat room (“The Garden”).\n${garden}`,
    "@juliet:hs.example": aboutJuliet,
    "juliet%hs.example@bridge.xmpp.example": aboutJuliet,
    "juliet@bridge.xmpp.example": aboutJuliet,
    "https://matrix.to/#/@juliet:hs.example": aboutJuliet,
    "https://matrix.to/#/%40juliet%3Ahs.example?via=hs.example": aboutJuliet,
    "xmpp:juliet%hs.example@bridge.xmpp.example?message": aboutJuliet,
    "@nurse:other.example":
      "@nurse:other.example is a Matrix user of another homeserver, which the bridge does not ask.\nOn XMPP it is nurse%other.example@bridge.xmpp.example",
    "@_xmpp_romeo=40silent.example:hs.example": `${ghostOf("romeo@silent.example")} stands for romeo@silent.example.\nromeo@silent.example is an XMPP address; it did not answer the bridge.\nOn Matrix it is ${ghostOf("romeo@silent.example")}`,
    "#cafe:hs.example": aboutCafe,
    "#cafe%hs.example@bridge.xmpp.example": aboutCafe,
    "!abc:hs.example": aboutCafe.replaceAll("#cafe", "!abc"),
    "#_xmpp_garden=40rooms.xmpp.example:hs.example":
      "#_xmpp_garden=40rooms.xmpp.example:hs.example stands for the XMPP room garden@rooms.xmpp.example.",
    "@_xmpp_bot:hs.example": bridgeItself,
    "bridge.xmpp.example": bridgeItself,
  };
  for (const [address, text] of Object.entries(cases))
    assert.deepEqual(await say(address), { text }, address);
});

test("an address that nobody has, or that is none, is told so", async () => {
  const cases: Record<string, RegExp> = {
    "@rosaline:hs.example": /^There is no Matrix user @rosaline:hs\.example\.$/,
    "rosaline@bridge.xmpp.example": /^There is no Matrix user @rosaline:hs\.example\.$/,
    "@_xmpp_=zz:hs.example": /^@_xmpp_=zz:hs\.example stands for nobody/,
    "x%%y@bridge.xmpp.example": /^x%%y@bridge\.xmpp\.example stands for nobody on Matrix\.$/,
    "@juliet": /^That is no address\. On XMPP one looks like bob@xmpp\.example/,
    "not an address": /^That is no address\./,
    "a@b@c": /^That is no address\./,
    "": /^That is no address\./,
  };
  for (const [address, text] of Object.entries(cases)) {
    const reply = await say(address);
    assert.match(reply.text, text, address);
    assert.equal(reply.failed, true, address);
  }
});
