/** Matrix users as occupants of rooms of a real Prosody: their nicks, and that they stay where they are. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { serversMissing } from "../servers/location.ts";
import type { MatrixUser } from "../servers/matrix-user.ts";
import type { MucUser } from "../servers/muc-user.ts";
import { eventsIn, openMuc, portalAlias } from "../servers/room-scene.ts";
import { type Stage, startStage } from "../servers/stage.ts";
import { waitFor } from "../support/wait-for.ts";

const skip = serversMissing() ?? false;
let stage: Stage;

before(async () => {
  if (!skip) stage = await startStage();
});
after(async () => {
  await stage?.stop();
});

const limit = 30_000;

async function rename(user: MatrixUser, displayname: string): Promise<void> {
  await user.request("PUT", `/_matrix/client/v3/profile/${encodeURIComponent(user.userId)}/displayname`, {
    displayname,
  });
}

const nicksIn = (muc: MucUser): string[] => [...muc.occupants().keys()].sort();

/** The bodies of the room's messages by XMPP users. */
const heardIn = async (user: MatrixUser, room: string): Promise<string[]> =>
  (await eventsIn(user, room)).flatMap(({ type, sender, content: { body } }) =>
    type === "m.room.message" && sender.startsWith("@_xmpp_") && body !== undefined ? [String(body)] : [],
  );

/** Two Matrix users in the portal of a new room. */
async function scene(name: string, config?: Record<string, string>) {
  const address = `${name}@${stage.muc}`;
  const muc = await openMuc(await stage.xmppUser(`romeo-${name}`), address, "Romeo", config);
  const juliet = await stage.matrixUser(`juliet-${name}`);
  const nurse = await stage.matrixUser(`nurse-${name}`);
  await rename(juliet, "Juliet \u{1F339}");
  await rename(nurse, "ROMEO");
  const room = await juliet.join(portalAlias(address));
  await nurse.join(portalAlias(address));
  await muc.waitForPresence("Juliet", undefined, limit);
  await muc.waitForPresence(`ROMEO (nurse-${name})`, undefined, limit);
  return { muc, juliet, nurse, room, all: ["Causeway", "Juliet", `ROMEO (nurse-${name})`, "Romeo"] };
}

test("Matrix users enter under nicks that the room takes and that look like nobody else's", {
  skip,
}, async () => {
  const { muc, juliet, nurse, room, all } = await scene("orchard");
  assert.deepEqual(nicksIn(muc), all);
  await rename(juliet, "Juliet Capulet");
  await muc.waitForPresence("Juliet Capulet", undefined, limit);
  assert.deepEqual(nicksIn(muc), ["Causeway", "Juliet Capulet", "ROMEO (nurse-orchard)", "Romeo"]);
  await juliet.sendText(room, "It is the east");
  const said = await muc.waitForMessage("It is the east", limit);
  assert.equal(said.attrs.from, `orchard@${stage.muc}/Juliet Capulet`);
  await nurse.request("POST", `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/leave`, {});
  await muc.waitForExit("ROMEO (nurse-orchard)", limit);
  assert.deepEqual(nicksIn(muc), ["Causeway", "Juliet Capulet", "Romeo"]);
});

test("a restart of the bridge moves nobody, and what was said meanwhile comes once and in order", {
  skip,
}, async () => {
  const { muc, juliet, room, all } = await scene("balcony");
  await muc.say("before");
  await waitFor(async () => (await heardIn(juliet, room)).includes("before"), "the first message", limit);
  const { length } = muc.received();
  await stage.bridge.stop();
  await stage.bridge.start();
  await muc.say("after");
  await waitFor(async () => (await heardIn(juliet, room)).includes("after"), "the next message", limit);
  const exits = muc
    .received()
    .slice(length)
    .filter(({ attrs }) => attrs.type === "unavailable");
  assert.deepEqual(exits.map(String), []);

  await stage.bridge.stop();
  const missed = Array.from({ length: 60 }, (_, index) => `missed ${index}`);
  for (const body of missed) await muc.say(body);
  await stage.bridge.start();
  await muc.say("at last");
  await waitFor(async () => (await heardIn(juliet, room)).includes("at last"), "the last message", limit);
  assert.deepEqual(await heardIn(juliet, room), ["before", "after", ...missed, "at last"]);
  await waitFor(() => nicksIn(muc).length === 4, "all to be back", limit);
  assert.deepEqual(nicksIn(muc), all);
});

test("after a restart of Prosody, clean or not, everybody is back under the same nick", {
  skip,
}, async () => {
  const { muc, juliet, room, all } = await scene("tomb");
  for (const end of ["clean", "killed"]) {
    if (end === "clean") await stage.prosody.restart();
    else {
      await stage.prosody.kill();
      await stage.prosody.start();
    }
    await waitFor(
      async () =>
        muc.rejoin({ timeoutMs: 2000 }).then(
          () => true,
          () => false,
        ),
      "Romeo to be back",
      limit,
    );
    await waitFor(() => nicksIn(muc).length === 4, `all to be back (${end})`, 60_000);
    assert.deepEqual(nicksIn(muc), all);
    await juliet.sendText(room, `O, ${end}`);
    await muc.waitForMessage(`O, ${end}`, limit);
    await muc.say(`Farewell, ${end}`);
    await waitFor(
      async () => (await heardIn(juliet, room)).includes(`Farewell, ${end}`),
      "the answer",
      limit,
    );
  }
});

test("who is banned stays out, and does not come back by asking", { skip }, async () => {
  const { muc, juliet, nurse, room } = await scene("verona");
  await muc.ban("juliet-verona%hs.test@bridge.xmpp.test", "Banished");
  await muc.waitForExit("Juliet", limit);
  await juliet.join(room).catch(() => undefined);
  await nurse.sendText(room, "Romeo is banished");
  await muc.waitForMessage("Romeo is banished", limit);
  assert.deepEqual(nicksIn(muc), ["Causeway", "ROMEO (nurse-verona)", "Romeo"]);
});
