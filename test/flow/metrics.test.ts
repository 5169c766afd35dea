/** What `/metrics` tells of what has happened, with the whole bridge between the fakes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseExposition } from "../ops/exposition.ts";
import { waitFor } from "../support/wait-for.ts";
import { isSend, julietJid, setScene } from "./scene.ts";

/** Series of one metric, without those that are 0. */
async function readMetric(adminUrl: string, name: string): Promise<Record<string, number>> {
  const answer = await fetch(`${adminUrl}/metrics`);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  const samples = parseExposition(await answer.text()).get(name)?.samples ?? [];
  return Object.fromEntries([...samples].filter(([, value]) => value !== 0));
}

const done = (direction: string, outcome: string, kind = "message"): string =>
  `causeway_messages_total{direction="${direction}",kind="${kind}",outcome="${outcome}"}`;

test("messages are counted once, by what became of them", async (t) => {
  const { homeserver, prosody, juliet, romeo, start, acceptChat, julietHas, romeoHas } = await setScene(t);
  const { adminUrl, settled, log } = await start();
  const roomId = await acceptChat();
  juliet.sendText(roomId, "Good night");
  await romeoHas(1);
  await settled(roomId);
  homeserver.respond((request) =>
    isSend(request) ? { status: 400, body: '{"errcode":"M_BAD_JSON"}' } : undefined,
  );
  await romeo.sendText(julietJid, "parting");
  await waitFor(() => log.some((line) => line.includes("parked: ")), "the message to be parked");
  homeserver.respond(() => undefined);
  await prosody.user("mercutio").sendText("nobody@bridge.xmpp.test", "A plague o' both your houses");
  await waitFor(() => log.some((line) => line.includes("refused: its sender")), "the refusal");
  await romeo.sendText(julietJid, "sorrow");
  await julietHas(roomId, 2);
  const counts = await waitFor(async () => {
    const found = await readMetric(adminUrl, "causeway_messages_total");
    return found[done("to_matrix", "delivered")] === 2 && found;
  }, "the last message to be counted");
  assert.deepEqual(counts, {
    [done("to_matrix", "delivered")]: 2,
    [done("to_matrix", "parked")]: 1,
    [done("to_matrix", "refused")]: 1,
    [done("to_xmpp", "delivered")]: 1,
    ...Object.fromEntries(Object.entries(counts).filter(([series]) => !series.includes('kind="message"'))),
  });
  // The marker by which `settled` knows.
  assert.equal(counts[done("to_xmpp", "left_out", "other")], 1);
});

test("what waits is told while it waits, and each attempt that failed", async (t) => {
  const { homeserver, romeo, start, acceptChat } = await setScene(t);
  const { adminUrl, settled } = await start();
  await settled(await acceptChat());
  // The first contact leaves jobs of its own, of presence and profiles.
  await waitFor(
    async () => Object.keys(await readMetric(adminUrl, "causeway_queued_jobs")).length === 0,
    "the first contact to be over",
  );
  homeserver.respond((request) => (isSend(request) ? { status: 500, body: "{}" } : undefined));
  await romeo.sendText(julietJid, "patience");
  await waitFor(async () => {
    const lanes = await readMetric(adminUrl, "causeway_lanes");
    return lanes['causeway_lanes{state="retrying"}'] === 1;
  }, "the lane to wait");
  assert.deepEqual(await readMetric(adminUrl, "causeway_queued_jobs"), { causeway_queued_jobs: 1 });
  const retries = await readMetric(adminUrl, "causeway_retries_total");
  assert.ok((retries['causeway_retries_total{direction="to_matrix"}'] ?? 0) >= 1);
  assert.deepEqual(await readMetric(adminUrl, "causeway_ready"), {
    'causeway_ready{part="prosody"}': 1,
    'causeway_ready{part="database"}': 1,
  });
  const failed = 'causeway_request_seconds_count{side="homeserver",outcome="failed"}';
  assert.ok(((await readMetric(adminUrl, "causeway_request_seconds"))[failed] ?? 0) >= 1);
});

test("whoever shows wrong credentials is counted", async (t) => {
  const { start } = await setScene(t);
  const { url, adminUrl } = await start();
  await fetch(`${url}/xmpp/callback`, { method: "POST", body: "<message/>" });
  await fetch(`${url}/_matrix/app/v1/ping`, { method: "POST", headers: { authorization: "Bearer wrong" } });
  assert.deepEqual(await readMetric(adminUrl, "causeway_strangers_refused_total"), {
    causeway_strangers_refused_total: 2,
  });
});

test("no label names a room or a person", async (t) => {
  const { romeo, juliet, start, acceptChat, romeoHas } = await setScene(t);
  const { adminUrl } = await start();
  const roomId = await acceptChat();
  juliet.sendText(roomId, "Parting is such sweet sorrow");
  await romeoHas(1);
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  for (const secret of [roomId, romeo.jid, "romeo", "juliet", "hs.test", "xmpp.test", "sorrow"])
    assert.ok(!text.includes(secret), secret);
});
