import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { waitFor } from "../support/wait-for.ts";
import { bridgeJid, say } from "./push-scene.ts";
import { setScene } from "./scene.ts";

const gateway = "/_matrix/push/v1/notify";

async function begin(
  t: TestContext,
  options: Parameters<Awaited<ReturnType<typeof setScene>>["start"]>[0] = {},
) {
  const scene = await setScene(t);
  const { homeserver, juliet, romeo } = scene;
  const bridge = await scene.start(options);
  const room = juliet.createRoom({ invite: [homeserver.bot], is_direct: true });
  await waitFor(() => juliet.received(room).length === 1, "the bot's greeting");
  /** What the bot answers to a line of Juliet's. */
  const ask = async (line: string): Promise<string> => {
    const before = juliet.received(room).length;
    juliet.sendText(room, line);
    return waitFor(() => juliet.received(room)[before], `an answer to ${line}`);
  };
  /** The code in the newest message to Romeo. */
  const code = (): string => /notify confirm (\S+)/.exec(romeo.bodies().at(-1) ?? "")?.[1] ?? "";
  const push = async (pushkey: unknown): Promise<unknown> => {
    const devices = [{ app_id: "im.causeway.xmpp", pushkey }];
    const notification = { event_id: "$1", type: "m.room.message", sender: "@nurse:hs.test", devices };
    const body = JSON.stringify({
      notification: { ...notification, content: { body: "Madam!", msgtype: "m.text" } },
    });
    return (await fetch(bridge.url + gateway, { method: "POST", body })).json();
  };
  return { ...scene, bridge, room, ask, code, push };
}

test("a Matrix user proves an address, has the bot set the pusher, tries it and turns it off", async (t) => {
  const { juliet, romeo, bridge, ask, code, push } = await begin(t);
  assert.equal(
    await ask("notify romeo@xmpp.test"),
    "A code is on its way to romeo@xmpp.test. Give it to me with: notify confirm CODE\n" +
      "If none comes, look at the address again.",
  );
  assert.equal(
    romeo.bodies()[0],
    "@juliet:hs.test on Matrix wants notifications from Matrix to come to this address. If that is you, answer the " +
      `bridge where you asked for it: notify confirm ${code()}\nThe code is good for 15 minutes. ` +
      "If it was not you, do nothing: without the code nothing will come.",
  );
  assert.match(code(), /^[2-9A-HJ-NP-Z]{8}$/);
  const confirmed = await ask(`notify confirm ${code().toLowerCase()}`);
  assert.match(confirmed, /^romeo@xmpp\.test is confirmed\..*\nnotify token ACCESS_TOKEN\n/);
  const body = JSON.parse(/-d '(.*)'/.exec(confirmed)?.[1] ?? "");
  const pusher = {
    app_id: "im.causeway.xmpp",
    app_display_name: "XMPP",
    device_display_name: "romeo@xmpp.test",
    pushkey: body.pushkey,
    kind: "http",
    lang: "en",
    data: { url: bridge.url + gateway },
    append: true,
  };
  assert.deepEqual(body, pusher);
  assert.ok(confirmed.includes("curl -X POST 'https://hs.test/_matrix/client/v3/pushers/set' \\\n"));
  assert.deepEqual(juliet.pushers(), []);
  assert.equal(
    await ask(`notify token ${juliet.accessToken}`),
    "Notifications now come to romeo@xmpp.test. Try it: notify test",
  );
  assert.deepEqual(juliet.pushers(), [pusher]);
  assert.equal(await ask("notify list"), "Notifications come to:\nromeo@xmpp.test");
  assert.equal(await ask("notify test"), "A test notification is on its way to romeo@xmpp.test.");
  assert.deepEqual(await push(body.pushkey), { rejected: [] });
  assert.deepEqual(romeo.bodies().slice(1), [
    "This is a test: notifications from Matrix come to this address.",
    "nurse: Madam!",
  ]);
  assert.equal(
    await ask(`notify off romeo@xmpp.test ${juliet.accessToken}`),
    "Notifications to romeo@xmpp.test are off. Your homeserver knows.",
  );
  assert.deepEqual(juliet.pushers(), []);
  assert.deepEqual(await push(body.pushkey), { rejected: [body.pushkey] });
  assert.equal(await ask("notify list"), "No notifications are set up.");
});

test("the access token is in no log line and in no file of the database", async (t) => {
  const { juliet, ask, code, bridge, database } = await begin(t);
  await ask("notify romeo@xmpp.test");
  await ask(`notify confirm ${code()}`);
  await ask("notify token wrong-token-of-juliet");
  await ask(`notify token ${juliet.accessToken}`);
  await ask(`notify off all ${juliet.accessToken}`);
  // Before the write-ahead log is merged, and after.
  const before = await database.contents();
  await bridge.stop();
  const after = await database.contents();
  for (const token of ["wrong-token-of-juliet", juliet.accessToken]) {
    assert.deepEqual(
      bridge.log.filter((line) => line.includes(token)),
      [],
    );
    assert.ok(after.length > 0 && ![before, after].some((contents) => contents.includes(token)));
  }
});

test("what the homeserver refuses is answered with who can do what about it", async (t) => {
  const { homeserver, ask, code } = await begin(t);
  assert.equal(
    await ask("notify token syt_x"),
    "There is no confirmed address yet. Begin with: notify ADDRESS",
  );
  await ask("notify romeo@xmpp.test");
  await ask(`notify confirm ${code()}`);
  assert.equal(
    await ask("notify token syt_x"),
    "The homeserver does not know this access token: it is wrong, has ended, or is of another server than hs.test.",
  );
  const refusing = (status: number, errcode: string) =>
    homeserver.respond(({ path }) =>
      path.endsWith("/pushers/set")
        ? { status, body: JSON.stringify({ errcode, error: "syt_x" }) }
        : undefined,
    );
  refusing(400, "M_MISSING_PARAM");
  assert.match(
    await ask("notify token syt_x"),
    /^The homeserver does not accept the push gateway http.*publicUrl/,
  );
  refusing(418, "M_TEAPOT");
  assert.equal(await ask("notify token syt_x"), "The homeserver refused with 418 M_TEAPOT");
  homeserver.respond(() => undefined);
  assert.match(
    await ask("notify off all syt_x"),
    /are off\. The homeserver does not know .*next has something to send\.$/,
  );
});

test("a code is its asker's, is good for five tries and fifteen minutes, and may be given twice", async (t) => {
  let now = Date.now();
  const { ask, code, romeo, prosody } = await begin(t, { clock: () => now });
  const none = "No code is waiting to be confirmed: ask for one with: notify ADDRESS";
  assert.equal(await ask("notify confirm ABCDEFGH"), none);
  await ask("notify romeo@xmpp.test");
  const tries: string[] = [];
  for (let n = 0; n < 6; n += 1) tries.push(await ask("notify confirm 11111111"));
  assert.deepEqual(tries.slice(3), [
    "That is not the code. You can try once more.",
    "That is not the code, and it no longer counts. Ask for another with: notify ADDRESS",
    none,
  ]);
  assert.equal(await ask(`notify confirm ${code()}`), none);
  await ask("notify romeo@xmpp.test");
  now += 15 * 60_000;
  assert.equal(await ask(`notify confirm ${code()}`), none);
  await ask("notify romeo@xmpp.test");
  const mercutio = prosody.user("mercutio");
  await mercutio.sendText(bridgeJid, `notify confirm ${code()}`);
  await waitFor(() => mercutio.bodies().includes(none), "the answer to Mercutio");
  const confirmed = await ask(`notify confirm ${code()}`);
  assert.match(confirmed, /is confirmed/);
  assert.equal(await ask(`notify confirm ${code()}`), confirmed);
  // Three codes so far; an address gets five in an hour, whoever asks.
  await ask("notify romeo@xmpp.test");
  await ask("notify romeo@xmpp.test");
  assert.match(
    await ask("notify romeo@xmpp.test"),
    /^Too many codes were asked for\. Try again in \d+ minutes\.$/,
  );
  assert.equal(romeo.bodies().length, 5);
});

test("an address that cannot have notifications is refused, and so is a code that cannot be sent", async (t) => {
  const permissions = { "*": "user", "tybalt@xmpp.test": "block" } as const;
  const { ask } = await begin(t, { config: { permissions } });
  assert.equal(await ask("notify"), "Name the XMPP address, as in: notify romeo@xmpp.example");
  const malformed = "That is not an XMPP address such as romeo@xmpp.example.";
  for (const address of ["xmpp.test", "@juliet:hs.test", "romeo@xmpp.test/balcony", "romeo@"]) {
    assert.equal(await ask(`notify ${address}`), malformed);
  }
  assert.match(
    await ask(`notify juliet%hs.test@${bridgeJid}`),
    /is this bridge's, not a person's on XMPP\.$/,
  );
  assert.equal(await ask("notify tybalt@xmpp.test"), "tybalt@xmpp.test may not use this bridge.");
  assert.equal(
    await ask("notify nobody@xmpp.test"),
    "The code could not be sent to nobody@xmpp.test. The recipient cannot be reached.",
  );
  assert.equal(
    await ask("notify off syt_token_alone"),
    "No notifications are set up there; notify list shows where they are.",
  );
  assert.equal(await ask("notify test"), "There is no confirmed address yet. Begin with: notify ADDRESS");
});

test("a token alone ends all notifications, and does not stay in the room", async (t) => {
  const { ask, code, juliet, homeserver, room } = await begin(t);
  await ask("notify xmpp:romeo@xmpp.test?message");
  await ask(`notify confirm ${code()}`);
  await ask(`notify token ${juliet.accessToken}`);
  assert.equal(
    await ask(`notify off ${juliet.accessToken}`),
    "Notifications to romeo@xmpp.test are off. Your homeserver knows.",
  );
  const held = juliet
    .timeline(room)
    .filter(({ content }) => JSON.stringify(content).includes(juliet.accessToken));
  assert.deepEqual(held, []);
  assert.ok(homeserver.requests.some(({ path }) => path.endsWith("/pushers/set")));
});

test("whoever has an address sees and turns off what comes there, and nobody else's", async (t) => {
  const { ask, code, romeo, prosody, push } = await begin(t);
  const mercutio = prosody.user("mercutio");
  await ask("notify romeo@xmpp.test");
  const confirmed = await ask(`notify confirm ${code()}`);
  const { pushkey } = JSON.parse(/-d '(.*)'/.exec(confirmed)?.[1] ?? "");
  await say(mercutio, "notify");
  assert.equal(
    await say(romeo, "notify list"),
    "Notifications come to:\nromeo@xmpp.test (for @juliet:hs.test)",
  );
  assert.equal(await say(mercutio, "notify list"), "Notifications come to:\nmercutio@xmpp.test");
  assert.equal(await ask("notify list"), "Notifications come to:\nromeo@xmpp.test");
  assert.match(await ask("notify off mercutio@xmpp.test"), /^No notifications are set up there/);
  assert.match(
    await say(romeo, "notify off"),
    /^Notifications to romeo@xmpp\.test \(for @juliet:hs\.test\) are off\./,
  );
  assert.deepEqual(await push(pushkey), { rejected: [pushkey] });
  assert.equal(await ask("notify list"), "No notifications are set up.");
});

test("an XMPP user proves another address with a code, and has the bot set the pusher as well", async (t) => {
  const { romeo, prosody, juliet, code } = await begin(t);
  const mercutio = prosody.user("mercutio");
  const ask = (line: string): Promise<string> => say(mercutio, line);
  await ask("notify romeo@xmpp.test");
  assert.match(romeo.bodies()[0] ?? "", /^mercutio@xmpp\.test wants notifications/);
  const confirmed = await ask(`notify confirm ${code()}`);
  assert.ok(confirmed.includes("'https://YOUR-HOMESERVER/_matrix/client/v3/pushers/set'"), confirmed);
  assert.match(
    await ask(`notify token ${juliet.accessToken}`),
    /^Notifications now come to romeo@xmpp\.test/,
  );
  assert.deepEqual(
    juliet.pushers().map((pusher) => pusher.device_display_name),
    ["romeo@xmpp.test"],
  );
});

test("a user of another homeserver is shown what to send there, and gives the bot no token", async (t) => {
  const { homeserver, code, romeo } = await begin(t);
  const nurse = "@nurse:other.example";
  const room = homeserver.rooms.create(nurse, { invite: [homeserver.bot], is_direct: true });
  const answers = () =>
    homeserver.rooms
      .history(nurse, room)
      .filter(({ type, sender }) => type === "m.room.message" && sender === homeserver.bot)
      .map(({ content }) => String(content.body));
  const ask = async (body: string): Promise<string> => {
    const before = answers().length;
    homeserver.rooms.send(nurse, room, "m.room.message", { msgtype: "m.text", body });
    return waitFor(() => answers()[before], `an answer to ${body}`);
  };
  await waitFor(() => answers().length === 1, "the bot's greeting");
  await ask("notify romeo@xmpp.test");
  await waitFor(() => romeo.bodies().length === 1, "the code");
  const confirmed = await ask(`notify confirm ${code()}`);
  assert.ok(confirmed.includes("'https://other.example/_matrix/client/v3/pushers/set'"), confirmed);
  assert.doesNotMatch(confirmed, /notify token/);
  assert.match(await ask("notify token syt_of_the_nurse"), /^I can do this for users of hs\.test only/);
  assert.ok(!homeserver.requests.some(({ path }) => path.endsWith("/pushers/set")));
});

test("where others read along, nothing of this is answered", async (t) => {
  const { juliet, homeserver } = await begin(t);
  const nurse = homeserver.user("nurse");
  const room = juliet.createRoom({ invite: [nurse.userId, homeserver.bot] });
  nurse.join(room);
  await waitFor(() => juliet.received(room).length === 1, "the bot's greeting");
  juliet.sendText(room, "!xmpp notify list");
  const answer = await waitFor(() => juliet.received(room)[1], "the answer");
  assert.equal(answer, "Write this to me alone: the answer is for nobody else.");
});
