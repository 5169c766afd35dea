/** The status page as HTTP, with the whole bridge between the fakes; `e2e/status-page.test.ts` has the browser. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startBridge } from "../support/bridge.ts";
import { waitFor } from "../support/wait-for.ts";
import { julietJid, setScene } from "./scene.ts";
import { bearer, hostileName, reportOf, setStatusScene, token } from "./status-scene.ts";

const alone = process.env.E2E_DATABASE !== "postgres" && "one process alone runs on SQLite";

const post = (url: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(url, { method: "POST", body: new URLSearchParams(fields), headers, redirect: "manual" });

/** Logs in as a browser does. @returns its cookie, and the key of its forms. */
async function logIn(adminUrl: string): Promise<{ cookie: string; key: string }> {
  const answer = await post(`${adminUrl}/status/login`, { token });
  assert.equal(answer.status, 303);
  const set = answer.headers.get("set-cookie") ?? "";
  assert.match(set, /^causeway_status=\d+\.[\w-]+; Max-Age=604800; Path=\/; HttpOnly; SameSite=Strict$/);
  const [cookie = ""] = set.split(";");
  const page = await (await fetch(`${adminUrl}/status`, { headers: { cookie } })).text();
  return { cookie, key: /name="key" value="([^"]+)"/.exec(page)?.[1] ?? "" };
}

test("whoever has shown no token sees health, and neither rooms nor messages", async (t) => {
  const { adminUrl, park } = await setStatusScene(t);
  await park("banished");
  const page = await fetch(`${adminUrl}/status`);
  const text = await page.text();
  assert.equal(page.status, 200);
  assert.match(text, /Homeserver.*well.*Log in/s);
  for (const hidden of ["romeo", "juliet", "orchard"]) assert.ok(!text.includes(hidden), hidden);
  assert.equal((await fetch(`${adminUrl}/status.json`)).status, 401);
  const wrong = { headers: { cookie: "causeway_status=99999999999999.AAAA" } };
  assert.equal((await fetch(`${adminUrl}/status.json`, wrong)).status, 401);
  for (const button of ["retry", "drop", "retry-all", "retry-now"])
    assert.equal((await post(`${adminUrl}/status/${button}`, { id: "1" })).status, 401);
  const { parked } = await reportOf(adminUrl);
  assert.equal(parked.length, 1);
});

test("without a token in the configuration the page shows health and how to set one", async (t) => {
  const { start } = await setScene(t);
  const { adminUrl } = await start();
  const text = await (await fetch(`${adminUrl}/status`)).text();
  assert.match(text, /set <code>admin\.token<\/code>/);
  assert.doesNotMatch(text, /<form/);
  assert.equal((await post(`${adminUrl}/status/login`, { token: "" })).status, 403);
  const json = await fetch(`${adminUrl}/status.json`, { headers: { authorization: "Bearer " } });
  assert.deepEqual([json.status, await json.json()], [401, { error: "admin.token is not set" }]);
});

test("a session sees all, names are escaped, and no other site can frame or script it", async (t) => {
  const { adminUrl, park, linked } = await setStatusScene(t);
  await park("banished");
  const { cookie } = await logIn(adminUrl);
  const page = await fetch(`${adminUrl}/status`, { headers: { cookie } });
  const text = await page.text();
  assert.ok(!text.includes("<img") && !text.includes("<b>no</b>"));
  assert.ok(
    text.includes("Orchard &lt;img src=x onerror=&quot;document.title=&#39;pwned&#39;&quot;&gt; &amp; walls"),
  );
  assert.ok(text.includes(linked) && text.includes("400 M_BAD_JSON &lt;b&gt;no&lt;/b&gt;"));
  assert.equal(
    page.headers.get("content-security-policy"),
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; " +
      "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  );
  assert.equal(page.headers.get("cache-control"), "no-store");
  assert.doesNotMatch(
    text,
    /<script(?! src="\/status\/status\.js" defer>)|<style|\son\w+=["a-z]*[(']|style="/,
  );
  for (const file of ["status.css", "status.js"])
    assert.equal((await fetch(`${adminUrl}/status/${file}`)).status, 200);
});

test("a form without the session's key does nothing", async (t) => {
  const { adminUrl, park } = await setStatusScene(t);
  await park("banished");
  const { cookie, key } = await logIn(adminUrl);
  const id = String((await reportOf(adminUrl)).parked[0]?.id);
  const other = `${key.slice(0, -1)}${key.endsWith("A") ? "B" : "A"}`;
  for (const fields of [{ id }, { id, key: "" }, { id, key: other }])
    assert.equal((await post(`${adminUrl}/status/drop`, fields, { cookie })).status, 403);
  assert.equal((await reportOf(adminUrl)).parked.length, 1);
  assert.equal((await post(`${adminUrl}/status/drop`, { id, key }, { cookie })).status, 303);
  assert.deepEqual((await reportOf(adminUrl)).parked, []);
});

test("retry delivers what is parked, in its lane, and drop forgets it", async (t) => {
  const { adminUrl, park, roomId, julietHas, juliet, log } = await setStatusScene(t);
  await park("one", "two", "three");
  const { parked, counts } = await reportOf(adminUrl);
  assert.equal(counts.parked, 3);
  const [three, two] = parked;
  await post(`${adminUrl}/status/drop`, { id: String(two?.id) }, bearer);
  await post(`${adminUrl}/status/retry`, { id: String(three?.id) }, bearer);
  await julietHas(roomId, 2);
  assert.equal((await post(`${adminUrl}/status/retry-all`, {}, bearer)).status, 303);
  await julietHas(roomId, 3);
  assert.deepEqual(juliet.received(roomId), ["O, speak again", "three", "one"]);
  assert.deepEqual((await reportOf(adminUrl)).parked, []);
  const pressed = log.filter((line) => line.includes("pressed a button"));
  assert.deepEqual(
    pressed.map((line) => /button="?([\w-]+)/.exec(line)?.[1]),
    ["drop", "retry", "retry-all"],
  );
});

test("a button about what is gone, or about no parked message, changes nothing", async (t) => {
  const { adminUrl, homeserver, romeo, roomId, julietHas } = await setStatusScene(t);
  homeserver.respond(({ path }) => (path.includes("/send/") ? { status: 500, body: "{}" } : undefined));
  await romeo.sendText(julietJid, "patience");
  await waitFor(async () => (await reportOf(adminUrl)).waiting.length === 1, "the message to wait");
  for (const id of [...Array.from({ length: 40 }, (_, number) => String(number)), "-1", "x", "1e9", ""])
    assert.equal((await post(`${adminUrl}/status/drop`, { id }, bearer)).status, 303);
  homeserver.respond(() => undefined);
  await post(`${adminUrl}/status/retry-now`, {}, bearer);
  assert.deepEqual(await julietHas(roomId, 2), ["O, speak again", "patience"]);
});

test("rooms are found by part of a name or an address", async (t) => {
  const { adminUrl, linked } = await setStatusScene(t);
  const found = async (words: string) => {
    const report = await reportOf(adminUrl, `?q=${encodeURIComponent(words)}`);
    return [report.linked.shown.length, report.linked.fitting, report.linked.all];
  };
  const { shown } = (await reportOf(adminUrl)).linked;
  assert.deepEqual(shown, [
    {
      roomId: linked,
      muc: "orchard@conference.xmpp.test",
      kind: "portal",
      mode: "puppets",
      name: hostileName,
      isHeard: true,
      fromXmpp: 1,
      fromMatrix: 1,
    },
  ]);
  for (const words of ["", "  ORCHARD", "conference.xmpp", linked, "<img"])
    assert.deepEqual(await found(words), [1, 1, 1]);
  assert.deepEqual(await found("nowhere"), [0, 0, 1]);
});

test("wrong tokens are refused, and after ten of them their source has to wait", async (t) => {
  const { adminUrl, log } = await setStatusScene(t);
  const statuses: number[] = [];
  for (let attempt = 0; attempt < 12; attempt += 1)
    statuses.push((await post(`${adminUrl}/status/login`, { token: `wrong ${attempt}` })).status);
  assert.deepEqual(statuses, [...Array(10).fill(403), 429, 429]);
  const right = await post(`${adminUrl}/status/login`, { token });
  assert.equal(right.status, 429);
  assert.ok(Number(right.headers.get("retry-after")) > 0);
  assert.equal(log.filter((line) => line.includes("a wrong token for the status page")).length, 10);
  assert.ok(!log.some((line) => line.includes(token)));
});

test("logging out ends the session in the browser, and a body that is too long is refused", async (t) => {
  const { adminUrl } = await setStatusScene(t);
  const out = await post(`${adminUrl}/status/logout`, {});
  assert.equal(
    out.headers.get("set-cookie"),
    "causeway_status=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict",
  );
  assert.equal((await post(`${adminUrl}/status/login`, { token: "x".repeat(5000) })).status, 413);
});

test("every process shows the whole, and which processes there are", { skip: alone }, async (t) => {
  const scene = await setStatusScene(t);
  await scene.park("banished");
  const second = await startBridge({
    ...{ homeserver: scene.homeserver, prosody: scene.prosody, database: scene.database.address },
    config: { admin: { host: "127.0.0.1", port: 0, token } },
  });
  try {
    await second.ready();
    const both = async () => [await reportOf(scene.adminUrl), await reportOf(second.adminUrl)] as const;
    await waitFor(
      async () => (await both()).every(({ processes }) => processes.length === 2),
      "both to know both",
    );
    const [first, other] = await both();
    assert.deepEqual(
      first.processes.map(({ id, isLead }) => [id, isLead]),
      [
        [first.process, true],
        [other.process, false],
      ],
    );
    const { queued, parked, puppetRooms, directRooms } = first.counts;
    assert.deepEqual([queued, parked, puppetRooms, directRooms], [0, 1, 1, 1]);
    assert.deepEqual({ ...other.counts, oldestSeconds: 0 }, { ...first.counts, oldestSeconds: 0 });
    assert.deepEqual(other.parked, first.parked);
    assert.deepEqual(
      other.linked.shown.map(({ muc, fromXmpp, fromMatrix }) => ({ muc, fromXmpp, fromMatrix })),
      first.linked.shown.map(({ muc, fromXmpp, fromMatrix }) => ({ muc, fromXmpp, fromMatrix })),
    );

    const { cookie, key } = await logIn(second.adminUrl);
    const page = await (await fetch(`${second.adminUrl}/status`, { headers: { cookie } })).text();
    assert.match(page, new RegExp(`${first.process} – leads`));
    assert.match(page, new RegExp(`${other.process}, shows this page`));
    const id = String(first.parked[0]?.id);
    assert.equal((await post(`${second.adminUrl}/status/retry`, { key, id }, { cookie })).status, 303);
    assert.deepEqual(await scene.julietHas(scene.roomId, 2), ["O, speak again", "banished"]);
    const metrics = async (adminUrl: string) =>
      (await (await fetch(`${adminUrl}/metrics`)).text()).match(/^causeway_(?:lead|processes) .*$/gm);
    assert.deepEqual(await metrics(scene.adminUrl), ["causeway_lead 1", "causeway_processes 2"]);
    assert.deepEqual(await metrics(second.adminUrl), ["causeway_lead 0", "causeway_processes 2"]);
  } finally {
    // Ahead of its database.
    await second.stop();
  }
});
