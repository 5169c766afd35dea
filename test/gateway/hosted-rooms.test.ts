import assert from "node:assert/strict";
import { test } from "node:test";
import { createHostedRooms, type HostedRoomsDeps } from "../../src/gateway/hosted-rooms.ts";
import { NoAnswerError } from "../../src/http/client.ts";
import { createAddresses } from "../../src/mapping/addresses.ts";
import type { RoomId, UserId } from "../../src/matrix/ids.ts";
import { createLog } from "../../src/ops/log.ts";
import type { Guest } from "../../src/store/room-records.ts";
import { RestError, StanzaRefusedError } from "../../src/xmpp/client.ts";
import type { BareJid, FullJid } from "../../src/xmpp/jid.ts";
import { xml } from "../../src/xmpp/stanza.ts";

const log = createLog({ level: "error", format: "text", now: Date.now, secrets: [] });
const roomId = "!cafe:hs.test" as RoomId;
const address = "#cafe%hs.test@bridge.xmpp.test" as BareJid;
const guestOf = (name: string): Guest => ({
  roomId,
  address,
  jid: `${name}@xmpp.test/test` as FullJid,
  nick: name,
  ghost: `@_xmpp_${name}=40xmpp.test:hs.test` as UserId,
});

/** A room with Romeo, Mercutio and Tybalt, and what `fails` makes of what is sent to each. */
async function scene(fails: (to: string, attempt: number) => Error | undefined) {
  const sent: string[] = [];
  const gone: string[] = [];
  const rooms = createHostedRooms({
    addresses: createAddresses({
      homeserverDomain: "hs.test",
      component: "bridge.xmpp.test",
      userPrefix: "_xmpp_",
      digest: (text) => text,
    }),
    component: "bridge.xmpp.test" as BareJid,
    store: { guests: { all: async () => ["romeo", "mercutio", "tybalt"].map(guestOf) } },
    xmpp: {
      send: async ({ attrs }: { attrs: { to: string } }) => {
        const error = fails(attrs.to, sent.filter((to) => to === attrs.to).length);
        sent.push(attrs.to);
        if (error) throw error;
      },
    },
    onUnreachable: ({ jid }: Guest) => void gone.push(jid),
    log,
  } as unknown as HostedRoomsDeps);
  await rooms.load();
  const tell = () => rooms.of(roomId).broadcast((to) => xml("message", { to, from: address }), "$event");
  return { rooms, sent, gone, tell };
}

test("another attempt reaches those alone whom the first has not reached", async () => {
  const { sent, tell } = await scene((to, attempt) =>
    to.startsWith("mercutio") && attempt === 0 ? new NoAnswerError("down", false, undefined) : undefined,
  );
  await assert.rejects(tell(), NoAnswerError);
  await tell();
  assert.deepEqual(sent, [
    "romeo@xmpp.test/test",
    "mercutio@xmpp.test/test",
    "tybalt@xmpp.test/test",
    "mercutio@xmpp.test/test",
  ]);
});

test("a guest of whom the server says that they are not there holds up nobody, and is looked after", async () => {
  const { sent, gone, tell } = await scene((to) =>
    to.startsWith("romeo")
      ? new StanzaRefusedError({ type: "cancel", condition: "service-unavailable" })
      : undefined,
  );
  await tell();
  assert.equal(sent.length, 3);
  assert.deepEqual(gone, ["romeo@xmpp.test/test"]);
});

test("a guest who refuses one stanza for what is in it stays", async () => {
  const { gone, tell } = await scene(
    () => new StanzaRefusedError({ type: "modify", condition: "not-acceptable" }),
  );
  await tell();
  assert.deepEqual(gone, []);
});

test("what Prosody takes for no guest is an error and not lost, and a guest before or after it has got it", async () => {
  const { sent, gone, tell } = await scene((to) =>
    to.startsWith("romeo") ? new RestError(413, { text: "too large" }) : undefined,
  );
  await assert.rejects(tell(), RestError);
  assert.equal(sent.length, 3);
  assert.deepEqual(gone, []);
});

test("the room is hosted from the moment on at which somebody enters", async () => {
  const { rooms } = await scene(() => undefined);
  const other = "!other:hs.test" as RoomId;
  assert.equal(rooms.isHosted(roomId), true);
  assert.equal(rooms.isHosted(other), false);
  const over = rooms.expect(other, guestOf("romeo").ghost);
  assert.equal(rooms.isHosted(other), true);
  assert.equal(rooms.readerOf(other), guestOf("romeo").ghost);
  over();
  assert.equal(rooms.isHosted(other), false);
});
