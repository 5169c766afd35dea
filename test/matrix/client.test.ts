import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { createHttp } from "../../src/http/client.ts";
import { createMatrixClient } from "../../src/matrix/client.ts";
import type { EventId, RoomAlias, RoomId, UserId } from "../../src/matrix/ids.ts";
import { MatrixError } from "../../src/matrix/matrix-error.ts";
import { type Answer, type SeenRequest, startFakeServer } from "../support/fake-server.ts";

const ghost = "@_xmpp_romeo=40xmpp.example:hs.example" as UserId;
const garden = "!gar/den:hs.example" as RoomId;

/** A homeserver that answers everything with one function's JSON, and a client of it. */
async function setUp(t: TestContext, handle: (request: SeenRequest) => unknown | Answer) {
  const server = await startFakeServer(async (request) => {
    const answer = handle(request);
    if (typeof answer === "object" && answer !== null && "status" in answer) return answer as Answer;
    return { status: 200, body: JSON.stringify(answer) };
  });
  const http = createHttp({ baseUrl: server.url, headers: {}, maxInFlight: 2, timeoutMs: 2000 });
  t.after(async () => {
    http.close();
    await server.stop();
  });
  const contacts: (string | undefined)[] = [];
  const client = createMatrixClient({
    http,
    asToken: "as-token",
    appserviceId: "causeway/1",
    now: () => 0,
    onContact: (problem) => contacts.push(problem),
  });
  return { client, contacts, requests: server.requests };
}

const refusal = (status: number, errcode: string, more: Partial<Answer> = {}): Answer => ({
  status,
  body: JSON.stringify({ errcode, error: "No." }),
  ...more,
});

test("a message goes out as its ghost, with what caused it, on a path where every ID is escaped", async (t) => {
  const { client, requests } = await setUp(t, () => ({ event_id: "$1" }));
  const content = { msgtype: "m.text", body: "é" };
  assert.equal(await client.send(ghost, garden, "m.room.message", content, "cause/1"), "$1");
  const [{ method, path, query, headers, body } = assert.fail()] = requests;
  assert.equal(
    `${method} ${path}`,
    "PUT /_matrix/client/v3/rooms/!gar%2Fden%3Ahs.example/send/m.room.message/cause%2F1",
  );
  assert.deepEqual(Object.fromEntries(query), { user_id: ghost });
  assert.equal(headers.authorization, "Bearer as-token");
  assert.deepEqual(JSON.parse(body), { ...content, "causeway.cause": "cause/1" });
});

test("what was sent is recognised by its cause, and nothing else is", async (t) => {
  const sent = (cause: unknown) => ({
    event_id: "$1",
    type: "m.room.message",
    room_id: garden,
    sender: ghost,
    content: { "causeway.cause": cause },
  });
  const { client } = await setUp(t, () => ({ chunk: [null, "x", sent(1), sent("other"), sent("mine")] }));
  assert.equal(await client.hasSent(ghost, garden, "mine"), true);
  assert.equal(await client.hasSent(ghost, garden, "yours"), false);
});

test("a message may say when it was written", async (t) => {
  const { client, requests } = await setUp(t, () => ({ event_id: "$1" }));
  await client.send(ghost, garden, "m.room.message", {}, "cause", 1234);
  assert.deepEqual(Object.fromEntries(requests[0]?.query ?? []), { ts: "1234", user_id: ghost });
});

test("an event is read as the ghost, and one that it may not see is none", async (t) => {
  const event = { event_id: "$1", type: "m.x", room_id: garden, sender: ghost, content: {} };
  const answers: unknown[] = [
    event,
    refusal(404, "M_NOT_FOUND"),
    refusal(403, "M_FORBIDDEN"),
    { no: "event" },
  ];
  const { client, requests } = await setUp(t, () => answers.shift());
  const read = () => client.event(ghost, garden, "$1/" as EventId);
  assert.deepEqual(await read(), { ...event, origin_server_ts: 0 });
  assert.equal(requests[0]?.path, "/_matrix/client/v3/rooms/!gar%2Fden%3Ahs.example/event/%241%2F");
  for (let n = 0; n < 3; n += 1) assert.equal(await read(), undefined);
});

test("the reactions to an event are asked for, and what is none is left out", async (t) => {
  const reaction = { event_id: "$2", type: "m.reaction", room_id: garden, sender: ghost, content: {} };
  const { client, requests } = await setUp(t, () => ({ chunk: [null, reaction] }));
  assert.deepEqual(await client.reactions(ghost, garden, "$1" as EventId), [
    { ...reaction, origin_server_ts: 0 },
  ]);
  assert.equal(
    requests[0]?.path,
    "/_matrix/client/v1/rooms/!gar%2Fden%3Ahs.example/relations/%241/m.annotation/m.reaction",
  );
});

test("a refusal tells what was tried, the status, the errcode and how long to wait", async (t) => {
  const headers = { "retry-after": "90" };
  const { client, contacts } = await setUp(t, () => refusal(429, "M_LIMIT_EXCEEDED", { headers }));
  await assert.rejects(client.join(ghost, garden), (error) => {
    assert.ok(error instanceof MatrixError);
    const { status, errcode, retryAfter, message } = error;
    assert.deepEqual([status, errcode, retryAfter], [429, "M_LIMIT_EXCEEDED", 90_000]);
    assert.equal(message, `could not join ${garden}: 429 M_LIMIT_EXCEEDED No.`);
    return true;
  });
  assert.deepEqual(contacts, [undefined]);
});

test("a success that is no JSON object counts as a bad gateway", async (t) => {
  for (const body of ["<html/>", "", "[]", "null"]) {
    const { client } = await setUp(t, () => ({ status: 200, body }));
    await assert.rejects(client.join(ghost, garden), { name: "MatrixError", status: 502 });
  }
});

test("a ghost that is registered already is registered", async (t) => {
  const { client, requests } = await setUp(t, () => refusal(400, "M_USER_IN_USE"));
  await client.register("_xmpp_romeo");
  const expected = { type: "m.login.application_service", username: "_xmpp_romeo", inhibit_login: true };
  assert.deepEqual(JSON.parse(requests[0]?.body ?? ""), expected);
  const { client: other } = await setUp(t, () => refusal(400, "M_EXCLUSIVE"));
  await assert.rejects(other.register("_xmpp_romeo"), { errcode: "M_EXCLUSIVE" });
});

test("a profile that nobody has is undefined, and one without a name has none", async (t) => {
  const { client } = await setUp(t, ({ path }) =>
    path.includes("nobody") ? refusal(404, "M_NOT_FOUND") : {},
  );
  assert.equal(await client.profile("@nobody:hs.example" as UserId), undefined);
  assert.deepEqual(await client.profile(ghost), { displayName: undefined, avatarUrl: undefined });
});

test("members are those who are in the room or invited", async (t) => {
  const member = (name: string, membership: unknown) => ({
    event_id: "$1",
    type: "m.room.member",
    room_id: garden,
    sender: ghost,
    state_key: `@${name}:hs.example`,
    content: { membership },
  });
  const { client } = await setUp(t, () => ({
    chunk: [
      member("juliet", "join"),
      member("nurse", "invite"),
      member("tybalt", "ban"),
      member("x", 1),
      null,
    ],
  }));
  assert.deepEqual(
    [...(await client.members(ghost, garden))],
    [
      ["@juliet:hs.example", "join"],
      ["@nurse:hs.example", "invite"],
    ],
  );
});

test("state that is not there or not to be seen is undefined", async (t) => {
  const { client } = await setUp(t, ({ path }) => {
    if (path.includes("missing")) return refusal(404, "M_NOT_FOUND");
    return path.includes("hidden") ? refusal(403, "M_FORBIDDEN") : { a: 1 };
  });
  assert.equal(await client.state(ghost, garden, "missing"), undefined);
  assert.equal(await client.state(ghost, garden, "hidden"), undefined);
  assert.deepEqual(await client.state(ghost, garden, "there"), { a: 1 });
});

test("a token that the homeserver does not know is a problem, and so are its failures and its absence", async (t) => {
  const { client, contacts } = await setUp(t, ({ path }) =>
    path.endsWith("/ping") ? { status: 500 } : refusal(401, "M_UNKNOWN_TOKEN"),
  );
  await assert.rejects(client.join(ghost, garden), { status: 401 });
  assert.equal((await client.ping("p1")).status, 500);
  assert.deepEqual(contacts, [
    "refuses the application service's token (as_token)",
    "answered with status 500",
  ]);
});

test("a refusal without an errcode is no homeserver's, so it says nothing about rooms and people", async (t) => {
  const answers = [
    { status: 404, body: "<html><title>404 Not Found</title></html>" },
    { status: 403, body: "" },
    { status: 400, body: "{}" },
    { status: 302 },
    { status: 200, body: "<html>Down for maintenance</html>" },
  ];
  for (const answer of answers) {
    const { client } = await setUp(t, () => answer);
    const refused = {
      status: 502,
      message: `could not join ${garden}: ${answer.status} (no homeserver's answer)`,
    };
    await assert.rejects(client.join(ghost, garden), refused);
    await assert.rejects(client.profile("@juliet:hs.example" as UserId), { status: 502 });
    await assert.rejects(client.state(ghost, garden, "m.room.name"), { status: 502 });
  }
  const { client } = await setUp(t, () => ({ status: 413, body: "<html><title>413</title></html>" }));
  await assert.rejects(client.join(ghost, garden), { status: 413 });
});

test("that another server does not answer is no problem of the homeserver", async (t) => {
  const { client, contacts } = await setUp(t, () => refusal(502, "M_UNKNOWN"));
  await assert.rejects(client.resolveAlias("#garden:away.example" as RoomAlias), { status: 502 });
  assert.deepEqual(contacts, [undefined]);
});

test("a ping asks for the registration's own ID", async (t) => {
  const { client, requests } = await setUp(t, () => ({ duration_ms: 1 }));
  await client.ping("p1");
  assert.equal(requests[0]?.path, "/_matrix/client/v1/appservice/causeway%2F1/ping");
  assert.equal(requests[0]?.body, '{"transaction_id":"p1"}');
});

test("events after one are all those newer, oldest first, over several pages", async (t) => {
  const event = (id: number) => ({
    event_id: `$${id}`,
    type: "m.room.message",
    room_id: garden,
    sender: ghost,
    content: {},
  });
  const pages = [
    { chunk: [event(5), event(4)], end: "p1" },
    { chunk: [event(3), event(2), event(1)], end: "p2" },
  ];
  const { client, requests } = await setUp(t, ({ query }) =>
    query.get("from") === "p1" ? pages[1] : pages[0],
  );
  const after = await client.eventsAfter(ghost, garden, "$2" as EventId);
  assert.deepEqual(
    after?.map(({ event_id }) => event_id),
    ["$3", "$4", "$5"],
  );
  assert.equal(requests.length, 2);
});

test("a search of the user directory keeps what is usable of its results", async (t) => {
  const results = [
    { user_id: "@juliet:hs.example", display_name: "Juliet" },
    { user_id: "@nurse:hs.example", display_name: null },
    { display_name: "Nobody" },
    "no result",
  ];
  const { client, requests } = await setUp(t, () => ({ limited: true, results }));
  assert.deepEqual(await client.searchUsers("j", 5), [
    { userId: "@juliet:hs.example", displayName: "Juliet" },
    { userId: "@nurse:hs.example" },
  ]);
  assert.deepEqual(
    [requests[0]?.path, requests[0]?.body],
    ["/_matrix/client/v3/user_directory/search", '{"search_term":"j","limit":5}'],
  );
});

test("a thumbnail is asked for where media is today, and else where older homeservers have it", async (t) => {
  const old = "/_matrix/media/v3/thumbnail/hs.example/abc";
  const { client, requests } = await setUp(t, ({ path }) =>
    path === old
      ? { status: 200, headers: { "content-type": "image/png; x=y" }, body: "picture" }
      : refusal(404, "M_UNRECOGNIZED"),
  );
  const found = await client.thumbnail("mxc://hs.example/abc");
  assert.deepEqual([found?.type, String(found?.bytes)], ["image/png", "picture"]);
  assert.deepEqual(
    requests.map(({ path, query }) => [path, query.toString()]),
    ["/_matrix/client/v1/media/thumbnail/hs.example/abc", old].map((path) => [
      path,
      "width=96&height=96&method=crop",
    ]),
  );
  for (const wrong of ["mxc://hs.example/a/b", "mxc://hs.example/..", "https://hs.example/abc", ""]) {
    assert.equal(await client.thumbnail(wrong), undefined);
  }
  assert.equal(requests.length, 2);
});

test("an event is redacted under an ID of its own, with the reason", async (t) => {
  const { client, requests } = await setUp(t, () => ({ event_id: "$2" }));
  await client.redact(ghost, garden, "$a/b" as EventId, "cause/1", "It held a secret.");
  const [{ method, path, query, body } = assert.fail()] = requests;
  assert.equal(
    `${method} ${path}`,
    "PUT /_matrix/client/v3/rooms/!gar%2Fden%3Ahs.example/redact/%24a%2Fb/cause%2F1",
  );
  assert.deepEqual(Object.fromEntries(query), { user_id: ghost });
  assert.deepEqual(JSON.parse(body), { reason: "It held a secret." });
});

test("rooms in a network's directory are listed and taken off it as the application service", async (t) => {
  const chunk = [{ room_id: garden }, { room_id: "no room" }, { name: "x" }, null];
  const { client, requests } = await setUp(t, ({ method }) => (method === "POST" ? { chunk } : {}));
  assert.deepEqual(await client.publishedRooms("causeway/1|xmpp"), [garden]);
  await client.unpublish("xmpp", garden);
  assert.deepEqual(
    requests.map(({ method, path, query, body }) => [
      `${method} ${path}`,
      query.toString(),
      JSON.parse(body),
    ]),
    [
      ["POST /_matrix/client/v3/publicRooms", "", { third_party_instance_id: "causeway/1|xmpp", limit: 500 }],
      [
        "PUT /_matrix/client/v3/directory/list/appservice/xmpp/!gar%2Fden%3Ahs.example",
        "",
        { visibility: "private" },
      ],
    ],
  );
});
