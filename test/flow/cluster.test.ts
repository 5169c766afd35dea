/** Two processes of one bridge on one PostgreSQL, in this process: what comes in comes to the one that does not lead. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { startBridge, startBridgeProcess, temporaryFolder } from "../support/bridge.ts";
import { createDatabase, postgresMissing } from "../support/postgres.ts";
import { query } from "../support/postgres-server.ts";
import { waitFor } from "../support/wait-for.ts";
import { julietJid, numbered, setScene } from "./scene.ts";

const skip = postgresMissing() ?? false;
const orchardAlias = "#_xmpp_orchard=40conference.xmpp.test:hs.test";

async function setPair(t: TestContext) {
  const scene = await setScene(t);
  const { url, drop } = await createDatabase();
  const { homeserver, prosody } = scene;
  const running = new Set<() => Promise<void>>();
  t.after(async () => {
    await Promise.all([...running].map((stop) => stop()));
    await drop();
  });
  const start = async () => {
    const bridge = await startBridge({ homeserver, prosody, database: url });
    const stop = async (): Promise<void> => {
      if (running.delete(stop)) await bridge.stop();
    };
    running.add(stop);
    await bridge.ready();
    return { ...bridge, stop };
  };
  const leader = await start();
  const follower = await start();
  const leads = (log: readonly string[]) => log.some((line) => line.includes("this process leads"));
  assert.deepEqual([leads(leader.log), leads(follower.log)], [true, false]);
  return { ...scene, leader, follower, leads, url };
}

test("a conversation begins and goes on through a process that does not lead, in order", {
  skip,
}, async (t) => {
  const { romeo, juliet, acceptChat, julietHas, romeoHas, follower, leader } = await setPair(t);
  const roomId = await acceptChat();
  for (const body of numbered("rose", 10)) await romeo.sendText(julietJid, body);
  for (const body of numbered("name", 10)) juliet.sendText(roomId, body);
  assert.deepEqual(await julietHas(roomId, 11), ["O, speak again", ...numbered("rose", 10)]);
  assert.deepEqual(await romeoHas(10), numbered("name", 10));
  const accepted = (log: readonly string[]) => log.filter((line) => line.includes("accepted from"));
  // What was accepted may arrive before the line that says so.
  const all = () => [...accepted(follower.log), ...accepted(leader.log)];
  await waitFor(() => all().length >= 21, "all to be accepted");
  // A comparison of the room may have been faster than the transaction.
  assert.deepEqual(
    accepted(leader.log).filter((line) => !line.includes("by asking for it")),
    [],
  );
});

test("a room goes on when the process that leads stops, and so does a conversation", { skip }, async (t) => {
  const scene = await setPair(t);
  const { prosody, juliet, romeo, leader, follower, leads, acceptChat, julietHas, memberships } = scene;
  const orchard = prosody.muc("orchard", { name: "Capulet's orchard" });
  orchard.enter("romeo@xmpp.test/balcony", "Romeo");
  const direct = await acceptChat();
  const roomId = await juliet.joinAlias(orchardAlias);
  await waitFor(() => orchard.occupants.has("juliet"), "Juliet to be in the orchard");
  await waitFor(() => memberships(roomId).size > 2, "Romeo to be in the room");
  orchard.say("Romeo", "before");
  juliet.sendText(roomId, "before too");
  await waitFor(() => romeo.bodies().includes("before too"), "Romeo to hear");
  assert.deepEqual(await julietHas(roomId, 1), ["before"]);

  await leader.stop();
  await waitFor(() => leads(follower.log), "the other one to lead");
  orchard.say("Romeo", "after");
  juliet.sendText(roomId, "after too");
  await romeo.sendText(julietJid, "and here");
  await waitFor(() => romeo.bodies().includes("after too"), "Romeo to hear");
  assert.deepEqual(await julietHas(roomId, 2), ["before", "after"]);
  assert.deepEqual(await julietHas(direct, 2), ["O, speak again", "and here"]);
  assert.deepEqual(orchard.nicks(), ["Causeway", "Romeo", "juliet"]);
});

test("what is said in a room while the lead changes hands, or the database is cut off, arrives in order", {
  skip,
}, async (t) => {
  const { prosody, juliet, leader, follower, leads, julietHas, memberships, url } = await setPair(t);
  const orchard = prosody.muc("orchard", { name: "Capulet's orchard" });
  orchard.enter("romeo@xmpp.test/balcony", "Romeo");
  const roomId = await juliet.joinAlias(orchardAlias);
  await waitFor(() => memberships(roomId).size > 2, "Romeo to be in the room");
  const said: string[] = [];
  const say = (what: string): void => {
    for (const body of numbered(what, 10)) {
      said.push(body);
      orchard.say("Romeo", body);
    }
  };
  say("rose");
  await query(
    url,
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );
  say("name");
  assert.deepEqual(await julietHas(roomId, said.length), said);
  say("moon");
  const stopped = leader.stop();
  say("night");
  await stopped;
  say("day");
  await waitFor(() => leads(follower.log), "the other one to lead");
  assert.deepEqual(await julietHas(roomId, said.length), said);
});

test("a secret that is said in a portal is stored by no process, whichever takes it", { skip }, async (t) => {
  const { prosody, juliet, follower, url } = await setPair(t);
  prosody.muc("orchard", { name: "Capulet's orchard" });
  const roomId = await juliet.joinAlias(orchardAlias);
  // What is stored is kept, however soon it is done.
  await query(
    url,
    `create table stored (work text);
     create function keep() returns trigger language plpgsql as $$ begin insert into stored values (new.work); return new; end $$;
     create trigger keep after insert on jobs for each row execute function keep()`,
  );
  juliet.sendText(roomId, "!xmpp notify token sesame");
  await waitFor(
    () => juliet.received(roomId).some((body) => body.includes("write to me alone")),
    "an answer",
  );
  const stored = JSON.stringify(await query(url, "select work from stored"));
  assert.ok(stored.includes("notify token"));
  assert.equal(stored.includes("sesame"), false);
  assert.equal(follower.log.join("\n").includes("sesame"), false);
});

test("a process that is told to stop while it waits for another one to lead ends at once, and cleanly", {
  skip,
}, async (t) => {
  const { homeserver, prosody } = await setScene(t);
  const [{ url: database, drop }, folder] = [await createDatabase(), temporaryFolder()];
  t.after(async () => {
    await drop();
    folder.remove();
  });
  const start = () => startBridgeProcess({ homeserver, prosody, database, folder: folder.path });
  const first = await start();
  t.after(() => first.kill());
  await waitFor(() => first.output().includes("this process leads"), "the first to lead");
  await first.kill();
  await query(database, "update lead set expires_at = expires_at + 3600000");
  const second = await start();
  t.after(() => second.kill());
  assert.equal(await second.terminate(), 0);
  assert.match(second.output(), /stopping.*\n.*stopped\n$/);
});
