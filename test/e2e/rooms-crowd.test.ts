/** Rooms with far more people than are shown on the other side: entered in one go, without a flood. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connectCrowd } from "../servers/crowd.ts";
import { serversMissing } from "../servers/location.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import { joinMuc } from "../servers/muc-user.ts";
import { hear, membersOf, openMuc, portalAlias, stateOf } from "../servers/room-scene.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import type { XmppUser } from "../servers/xmpp-user.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = serversMissing() ?? false;
const timeout = 300_000;
const waitMs = 60_000;
const members = 1000;
/** Prosody tells each of each, which for a thousand would take it minutes. */
const occupants = 300;
/** As configured by default. */
const lazyAbove = 100;
const crowd = "crowd.xmpp.test";

let stage: Stage;
let juliet: MatrixUser;
let romeo: XmppUser;

before(async () => {
  if (skip) return;
  stage = await startStage({ crowd });
  juliet = await stage.matrixUser("juliet");
  romeo = await stage.xmppUser("romeo");
});
after(async () => {
  await stage?.stop();
});

/** Does it for each number, some at a time. */
async function forAll(atOnce: number, act: (n: number) => Promise<unknown>): Promise<void> {
  const numbers = Array.from({ length: members }, (_, n) => n).values();
  const work = async () => {
    for (const n of numbers) await act(n);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

const inMs = async (act: () => Promise<unknown>): Promise<number> => {
  const startedAt = performance.now();
  await act();
  return Math.round(performance.now() - startedAt);
};

test("the portal of an XMPP room of hundreds is entered without hundreds of ghosts, and whoever speaks is there", {
  skip,
  timeout,
}, async (t) => {
  const room = `fair@${stage.muc}`;
  const r = await openMuc(romeo, room, "Romeo");
  if (!stage.prosody.crowd) throw new Error("there is no crowd");
  const people = await connectCrowd(stage.prosody.crowd);
  const muc = "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>";
  const come = async () => {
    for (let n = 0; n < occupants; n += 1)
      people.send(`<presence from='u${n}@${crowd}/x' to='${room}/u${n}'>${muc}</presence>`);
    await r.waitForPresence(`u${occupants - 1}`, undefined, 2 * waitMs);
  };
  t.diagnostic(`the crowd came in ${await inMs(come)} ms`);

  let roomId = "";
  const joined = await inMs(async () => {
    roomId = await juliet.join(portalAlias(room));
    await r.waitForPresence("juliet", undefined, waitMs);
  });
  const speak = (n: number) =>
    people.send(
      `<message type='groupchat' from='u${n}@${crowd}/x' to='${room}' id='m${n}'><body>I am ${n}</body></message>`,
    );
  const spoken = await inMs(async () => {
    speak(7);
    const said = await hear(juliet, roomId, "I am 7");
    assert.equal((await membersOf(juliet, roomId)).get(said.sender), "u7");
  });
  const answered = await inMs(async () => {
    await juliet.sendText(roomId, "Welcome, 7");
    await r.waitForMessage("Welcome, 7", waitMs);
  });
  assert.ok((await membersOf(juliet, roomId)).size <= lazyAbove);
  people.stop();
  t.diagnostic(
    `portal of ${occupants}: entered in ${joined} ms, heard after ${spoken} ms, answered in ${answered} ms`,
  );
});

test("a Matrix room of a thousand is entered from XMPP, and linked, without a thousand occupants", {
  skip,
  timeout,
}, async (t) => {
  const room = await juliet.createRoom({ preset: "public_chat", room_alias_name: "piazza" });
  const tokens: string[] = [];
  const made = await inMs(() =>
    forAll(8, async (n) => {
      const { accessToken } = await stage.synapse.registerUser(`c${n}`, "secret");
      tokens[n] = accessToken;
      const answer = await fetch(`${stage.synapse.url}/_matrix/client/v3/join/${encodeURIComponent(room)}`, {
        method: "POST",
        headers: { authorization: `Bearer ${accessToken}` },
        body: "{}",
      });
      assert.equal(answer.status, 200, await answer.text());
    }),
  );
  const speak = async (n: number, body: string): Promise<void> => {
    const path = `${stage.synapse.url}/_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/m.room.message/${encodeURIComponent(body)}`;
    const answer = await fetch(path, {
      method: "PUT",
      headers: { authorization: `Bearer ${tokens[n]}` },
      body: JSON.stringify({ msgtype: "m.text", body }),
    });
    assert.equal(answer.status, 200);
  };

  const address = "#piazza%hs.test@bridge.xmpp.test";
  const startedAt = performance.now();
  const guest = await joinMuc(romeo, address, "Romeo", { timeoutMs: waitMs });
  const entered = Math.round(performance.now() - startedAt);
  const shown = guest.occupants();
  assert.ok(shown.size <= lazyAbove + 1, `${shown.size} are shown`);
  assert.equal(shown.get("juliet")?.affiliation, "owner");
  const silent = Array.from({ length: members }, (_, n) => n).find((n) => !shown.has(`c${n}`)) ?? 0;
  const heard = await inMs(async () => {
    await speak(silent, "I was not shown");
    await guest.waitForMessage("I was not shown", waitMs);
  });
  // Who speaks has come before.
  const [presence, message] = [
    guest
      .received()
      .findIndex(({ name, attrs }) => name === "presence" && attrs.from === `${address}/c${silent}`),
    guest.received().findIndex((stanza) => stanza.getChildText("body") === "I was not shown"),
  ];
  assert.ok(presence >= 0 && presence < message, `presence ${presence}, message ${message}`);
  await guest.leave();
  t.diagnostic(
    `room of ${members} (made in ${made} ms): entered in ${entered} ms with ${shown.size} shown, heard after ${heard} ms`,
  );

  const r = await openMuc(romeo, `piazza@${stage.muc}`, "Romeo");
  await juliet.invite(room, "@_xmpp_bot:hs.test");
  await waitFor(
    async () => (await stateOf(juliet, room, "m.room.member", "@_xmpp_bot:hs.test"))?.membership === "join",
    "the bot to join",
    waitMs,
  );
  await juliet.sendText(room, `!xmpp link ${r.room}`);
  const request = await r.waitFor((stanza) => /agree \w/.test(String(stanza.getChildText("body"))), waitMs);
  const code = /agree (\w+)/.exec(String(request.getChildText("body")))?.[1];
  const linked = await inMs(async () => {
    await r.say(`!xmpp agree ${code}`);
    await r.waitFor((stanza) => /Done\b/.test(String(stanza.getChildText("body"))), waitMs);
  });
  const crossed = await inMs(async () => {
    await speak(silent, "Now I am here");
    assert.equal((await r.waitForMessage("Now I am here", waitMs)).attrs.from, `${r.room}/c${silent}`);
  });
  await r.say("Welcome all");
  await hear(juliet, room, "Welcome all");
  assert.ok(r.occupants().size <= 10, `${r.occupants().size} occupants`);
  t.diagnostic(
    `linked in ${linked} ms, the first word crossed in ${crossed} ms, ${r.occupants().size} occupants`,
  );
});
