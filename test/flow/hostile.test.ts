/** Hostile requests on every door of `listen`: each gets its declared error, and the bridge goes on delivering. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { waitFor } from "../support/wait-for.ts";
import { wildTexts } from "../support/xml-text.ts";
import { eventIn, julietJid, setScene } from "./scene.ts";

const bearer = "Bearer hs-token-0123456789";
const basic = `Basic ${Buffer.from("prosody:callback0123456789").toString("base64")}`;
const callbackPath = "/xmpp/callback";
const deep = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);

interface Reply {
  status: number;
  headers: Record<string, unknown>;
  body: string;
}

/** Any request at all, as `fetch` would refuse to send some of these. */
function ask(
  url: string,
  { method = "GET", path = "/", headers = {}, body }: Ask,
  agent?: Agent,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const sent = request({ hostname, port, method, path, headers, agent }, async (response) => {
      try {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: await text(response),
        });
      } catch (error) {
        reject(error);
      }
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

interface Ask {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
}

/** Status and errcode of a Matrix error, which has to have both fields and nothing about who answers. */
function errorOf({ status, headers, body }: Reply): [number, string] {
  assert.match(String(headers["content-type"]), /^application\/json/);
  assert.deepEqual(
    [headers.server, headers["x-powered-by"], headers.etag],
    [undefined, undefined, undefined],
  );
  const { errcode, error } = JSON.parse(body);
  assert.equal(typeof error, "string");
  assert.doesNotMatch(body, /causeway|express|node_modules|\.ts/i);
  return [status, errcode];
}

/** Every route of `listen`, with methods and with what may be asked for. */
const routes: [methods: string[], path: string][] = [
  [["POST", "OPTIONS"], callbackPath],
  [["PUT"], "/_matrix/app/v1/transactions/{}"],
  [["PUT"], "/transactions/{}"],
  [["POST"], "/_matrix/app/v1/ping"],
  [["GET"], "/_matrix/app/v1/users/{}"],
  [["GET"], "/users/{}"],
  [["GET"], "/_matrix/app/v1/rooms/{}"],
  [["GET"], "/rooms/{}"],
  [["GET"], "/_matrix/app/v1/thirdparty/protocol/{}"],
  [["GET"], "/_matrix/app/v1/thirdparty/user/{}"],
  [["GET"], "/_matrix/app/v1/thirdparty/user?userid={}"],
  [["GET"], "/_matrix/app/v1/thirdparty/location/xmpp?jid={}"],
  [["GET"], "/_matrix/app/v1/thirdparty/location?alias={}"],
  [["POST"], "/_matrix/push/v1/notify"],
  [["GET"], "/_matrix/push/{}"],
  [["GET", "HEAD"], "/media/{}/x"],
  [["GET"], "/media/x.y/{}"],
  [["GET"], "/{}"],
];
/** What any of them may answer, whatever comes. */
const declared = [200, 202, 400, 401, 403, 404, 405, 413, 415, 429];

const rarely = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 15, arbitrary: fc.constant(undefined) }, arbitrary);

const values = fc.oneof(
  fc.constantFrom(
    "x",
    "@_xmpp_romeo=40xmpp.test:hs.test",
    "%ff",
    "%00",
    "..",
    "%2F",
    "@a:b",
    "{}",
    "__proto__",
  ),
  wildTexts.map((value) => encodeURIComponent(value.toWellFormed())),
);
const places = fc
  .tuple(
    fc.constantFrom(...routes),
    values,
    rarely(fc.constantFrom("/", "?access_token=wrong", "?a[b]=c&&=%")),
  )
  .chain(([[methods, path], value, tail]) =>
    fc.record({
      method: fc.oneof(
        { weight: 9, arbitrary: fc.constantFrom(...methods) },
        fc.constantFrom("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PURGE"),
      ),
      path: fc.constant(path.replace("{}", value) + (tail ?? "")),
    }),
  );
/** Without `authorization` those that the route asks for are sent. */
const headerSets = fc.record({
  authorization: rarely(
    fc.constantFrom(bearer, basic, "Bearer wrong", "Basic !", "Basic cHJvc29keTo=", "", "x"),
  ),
  "content-type": rarely(
    fc.constantFrom("application/json", "text/html; charset=utf-16", ";;", "multipart/form-data"),
  ),
  "content-encoding": rarely(fc.constantFrom("identity", "gzip", "br", "x")),
  "if-none-match": rarely(fc.constantFrom("*", '"x"')),
  "if-modified-since": rarely(fc.constant("Fri, 01 Jan 2100 00:00:00 GMT")),
  range: rarely(fc.constant("bytes=0-1")),
  expect: rarely(fc.constantFrom("100-continue", "wonders")),
  accept: rarely(fc.constantFrom("text/html", "x")),
  "x-forwarded-for": rarely(fc.constantFrom("192.0.2.1", "' or 1=1", "::")),
  "x-http-method-override": rarely(fc.constant("PUT")),
  cookie: rarely(fc.constant("a=b; c")),
});

const eventLike = fc.record(
  {
    event_id: fc.oneof(fc.constantFrom("$a", "", 5, null), fc.uuid()),
    type: fc.constantFrom("m.room.message", "m.room.member", "m.room.redaction", "__proto__", 5),
    room_id: fc.constantFrom("!a:hs.test", "!", "", {}, []),
    sender: fc.constantFrom("@juliet:hs.test", "@_xmpp_romeo=40xmpp.test:hs.test", "x", null),
    state_key: fc.constantFrom("", "@_xmpp_romeo=40xmpp.test:hs.test", null, 1),
    content: fc.oneof(
      fc.record({
        msgtype: fc.constantFrom("m.text", "m.image", 5),
        body: fc.oneof(wildTexts, fc.jsonValue()),
      }),
      fc.record({ membership: fc.constantFrom("invite", "join", "leave", 5) }),
      fc.jsonValue(),
    ),
  },
  { requiredKeys: [] },
);
const json = fc
  .oneof(
    fc.record({ events: fc.array(fc.oneof(eventLike, fc.jsonValue()), { maxLength: 3 }) }),
    fc.record({ events: fc.jsonValue(), ephemeral: fc.jsonValue(), transaction_id: fc.jsonValue() }),
    fc.record({
      notification: fc.oneof(
        fc.record({
          devices: fc.oneof(
            fc.array(fc.record({ app_id: fc.jsonValue(), pushkey: fc.oneof(fc.string(), fc.jsonValue()) })),
            fc.jsonValue(),
          ),
          event_id: fc.oneof(fc.constant("$a"), fc.jsonValue()),
          content: fc.jsonValue(),
        }),
        fc.jsonValue(),
      ),
    }),
    fc.jsonValue(),
  )
  .map((value) => JSON.stringify(value));
const stanzas = fc
  .record({
    name: fc.constantFrom("message", "presence", "iq", "stream"),
    type: fc.constantFrom(
      "",
      "chat",
      "groupchat",
      "get",
      "set",
      "result",
      "error",
      "subscribe",
      "probe",
      "x",
    ),
    from: fc.constantFrom("romeo@xmpp.test/balcony", "xmpp.test", "bridge.xmpp.test", "@@", ""),
    to: fc.constantFrom(julietJid, "bridge.xmpp.test", "nobody@bridge.xmpp.test/x", "@@", ""),
    inside: fc.oneof(
      fc.constantFrom(
        "<body>x</body>",
        "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        "<a><b></a></b>",
        "<!--x-->",
        "<!DOCTYPE a>",
        "<?x?>",
        "&x;",
        "<a>".repeat(70) + "</a>".repeat(70),
        "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
      ),
      wildTexts,
    ),
  })
  .map(
    ({ name, type, from, to, inside }) =>
      `<${name} type='${type}' from='${from}' to='${to}' id='x'>${inside}</${name}>`,
  );
const junk = fc.oneof(
  wildTexts,
  fc.uint8Array(),
  fc.constantFrom(
    "",
    deep(50_000),
    `{"events":[${deep(5000)}]}`,
    '{"__proto__":{"events":[]},"constructor":{}}',
    '{"events":[{"__proto__":{"event_id":"$x"}}]}',
    "\ufeff{}",
    "1e999",
  ),
);
/** A body as each kind of route wants it, and what is sent instead of it. */
const bodies = fc.record({ stanza: stanzas, json, junk: rarely(junk) });

/** The scene with a conversation in it, and messages each way to see that it still works. */
async function setConversation(t: TestContext) {
  const scene = await setScene(t);
  const bridge = await scene.start();
  const roomId = await scene.openChat();
  let count = 0;
  return {
    ...scene,
    ...bridge,
    roomId,
    async stillDelivers(): Promise<void> {
      count += 1;
      const words = `still here ${count}`;
      scene.juliet.sendText(roomId, words);
      await waitFor(() => scene.romeo.bodies().includes(words), "Juliet's message");
      await scene.romeo.sendText(julietJid, words);
      await waitFor(() => scene.juliet.received(roomId).includes(words), "Romeo's message");
    },
  };
}

test("whatever comes in on any route gets a declared answer in the right form, and messages go on", async (t) => {
  const { url, log, stillDelivers } = await setConversation(t);
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  await stillDelivers();
  await fc.assert(
    fc.asyncProperty(places, headerSets, bodies, async (place, given, { stanza, json, junk }) => {
      const isCallback = place.path.startsWith(callbackPath);
      const body = junk ?? (isCallback ? stanza : json);
      const headers: Record<string, string> = {
        authorization: isCallback ? basic : bearer,
        "content-length": String(Buffer.byteLength(body)),
      };
      for (const [name, value] of Object.entries(given)) if (value !== undefined) headers[name] = value;
      const reply = await ask(url, { ...place, headers, body }, agent);
      assert.ok(declared.includes(reply.status), `${reply.status} ${reply.body}`);
      if (place.method === "HEAD") return;
      if (isCallback) {
        assert.ok(reply.body === "" || reply.headers["content-type"] === "application/xmpp+xml");
      } else if (place.path.startsWith("/media/")) {
        assert.match(String(reply.headers["content-type"]), /^text\/plain/);
      } else if (reply.status >= 400) errorOf(reply);
      else assert.equal(typeof JSON.parse(reply.body), "object");
    }),
    { numRuns: 500 },
  );
  await stillDelivers();
  assert.deepEqual(
    log.filter((line) => /could not be answered|could not be stored|broke off|not handled/.test(line)),
    [],
  );
});

test("wrong credentials and unknown paths are slowed down after twenty, right ones from the same address never", async (t) => {
  const { url, log, stillDelivers } = await setConversation(t);
  const path = "/_matrix/app/v1/ping";
  for (let n = 0; n < 5; n += 1) {
    const wrong = { authorization: "Bearer wrong" };
    assert.deepEqual(errorOf(await ask(url, { method: "POST", path, headers: wrong })), [403, "M_FORBIDDEN"]);
    assert.deepEqual(errorOf(await ask(url, { method: "POST", path })), [401, "M_MISSING_TOKEN"]);
    assert.deepEqual(errorOf(await ask(url, { path: "/nowhere" })), [404, "M_UNRECOGNIZED"]);
    const callback = await ask(url, {
      method: "POST",
      path: callbackPath,
      headers: { authorization: "Basic x" },
    });
    assert.deepEqual([callback.status, callback.body], [401, ""]);
    assert.equal(callback.headers["www-authenticate"], 'Basic realm="restricted"');
  }
  for (const place of [path, "/nowhere", "/users/x", "/_matrix/app/v1/thirdparty/user"]) {
    const reply = await ask(url, { path: place });
    assert.deepEqual(errorOf(reply), [429, "M_LIMIT_EXCEEDED"]);
    const { retry_after_ms: wait } = JSON.parse(reply.body);
    assert.ok(Number.isInteger(wait) && wait > 0 && wait <= 60_000);
    assert.equal(reply.headers["retry-after"], String(Math.ceil(wait / 1000)));
  }
  const limited = await ask(url, { method: "POST", path: callbackPath });
  assert.deepEqual([limited.status, limited.body], [429, ""]);
  assert.ok(Number(limited.headers["retry-after"]) > 0);

  await stillDelivers();
  assert.equal((await ask(url, { method: "POST", path, headers: { authorization: bearer } })).status, 200);
  assert.equal((await ask(url, { path: "/nowhere", headers: { authorization: bearer } })).status, 404);
  const warnings = log.filter((line) => line.includes(" warn ") && line.includes("from=127.0.0.1"));
  assert.deepEqual(
    warnings.map((line) => /warn +(?:"?)(.{30})/.exec(line)?.[1]),
    ["a request came with a wrong ho", "a request without the homeserv", "a callback came with wrong cre"],
  );
});

test("an event that is too deep is left out, and the rest of its transaction arrives", async (t) => {
  const { homeserver, roomId, romeo, log, url } = await setConversation(t);
  const hostile = eventIn(roomId, "x");
  const tooDeep = JSON.parse(JSON.stringify(hostile).replace('"x"', deep(1000)));
  const events = [eventIn(roomId, "before"), tooDeep, eventIn(roomId, "after")];
  assert.deepEqual(await homeserver.pushTransaction("deep", events), { status: 200, body: "{}" });
  await waitFor(() => romeo.bodies().length === 2, "the two messages");
  assert.deepEqual(romeo.bodies(), ["before", "after"]);
  assert.equal(log.filter((line) => line.includes("left out malformed events txn=deep events=1")).length, 1);
  const put = (path: string, method: string, body: string) =>
    ask(url, { method, path, headers: { authorization: bearer }, body }).then(errorOf);
  const badJson = [400, "M_BAD_JSON"];
  assert.deepEqual(
    await put("/_matrix/app/v1/transactions/2", "PUT", `{"events":[${deep(20_000)}]}`),
    badJson,
  );
  assert.deepEqual(await put("/_matrix/app/v1/ping", "POST", `{"transaction_id":${deep(200)}}`), badJson);
  assert.deepEqual(await put("/_matrix/push/v1/notify", "POST", `{"notification":${deep(20_000)}}`), badJson);
});

test("a stanza whose sender is not the one that Prosody put into the URL is refused", async (t) => {
  const { url, juliet, roomId, stillDelivers } = await setConversation(t);
  const say = (sender: string, words: string): Promise<Reply> =>
    ask(url, {
      method: "POST",
      path: `${callbackPath}?from=${sender}`,
      headers: { authorization: basic },
      body: `<message type='chat' from='romeo@xmpp.test/balcony' to='${julietJid}'><body>${words}</body></message>`,
    });
  for (const sender of [
    "mercutio%40xmpp.test%2fx",
    "",
    "romeo%40xmpp.test",
    "a&from=romeo%40xmpp.test%2fbalcony",
  ]) {
    const { status, body } = await say(sender, "forged");
    assert.deepEqual([status, body], [400, ""]);
  }
  assert.equal((await say("romeo%40xmpp.test%2fbalcony", "genuine")).status, 202);
  // The URL of a mod_rest that fills nothing in.
  assert.equal((await say("{from}", "from an old module")).status, 202);
  await stillDelivers();
  assert.deepEqual(juliet.received(roomId).slice(0, 2), ["genuine", "from an old module"]);
  assert.equal(juliet.received(roomId).includes("forged"), false);
});

test("a small body that would be a large one is refused as it is", async (t) => {
  const { url, stillDelivers } = await setConversation(t);
  const events = `{"events":[],"pad":"${"0".repeat(50_000_000)}"}`;
  for (const [encoding, body] of [
    ["gzip", gzipSync(events)] as const,
    ["deflate", deflateSync(events)] as const,
  ]) {
    const headers = { authorization: bearer, "content-encoding": encoding };
    const reply = await ask(url, { method: "PUT", path: "/_matrix/app/v1/transactions/1", headers, body });
    assert.deepEqual(errorOf(reply), [415, "M_UNKNOWN"]);
    const callback = await ask(url, {
      method: "POST",
      path: callbackPath,
      headers: { authorization: basic, "content-encoding": encoding },
      body,
    });
    assert.deepEqual([callback.status, callback.body], [415, ""]);
  }
  await stillDelivers();
});

const head = (line: string, ...headers: string[]): string =>
  `${[line, "Host: b.example", ...headers].join("\r\n")}\r\n\r\n`;
/** What a stranger on Prosody's own address may do with a connection, without ever getting to an end. */
const strangers: [deed: string, bytes: string][] = [
  ["asks for another path", head("GET /_matrix/app/v1/ping HTTP/1.1")],
  ["drips a body to another path", `${head("POST /_matrix/push/v1/notify HTTP/1.1", "Content-Length: 99")}x`],
  [
    "shows wrong credentials",
    head(`POST ${callbackPath} HTTP/1.1`, "Authorization: Basic eDp5", "Content-Length: 0"),
  ],
  ["drips a body with wrong credentials", `${head(`POST ${callbackPath} HTTP/1.1`, "Content-Length: 99")}x`],
  ["asks for what the callback does not do", head(`GET ${callbackPath} HTTP/1.1`, `Authorization: ${basic}`)],
  ["breaks the protocol", "nonsense\r\n\r\n"],
  ["sends nothing", ""],
  ["drips its headers", `POST ${callbackPath} HTTP/1.1\r\nHo`],
];
for (const [deed, bytes] of strangers) {
  test(`a connection that ${deed} does not hold Prosody's callbacks up for as long as it lasts`, async (t) => {
    const { url, romeo, juliet, roomId, stillDelivers } = await setConversation(t);
    await stillDelivers();
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    t.after(() => socket.destroy());
    await once(socket, "connect");
    if (bytes !== "") {
      socket.write(bytes);
      // Bytes that ask for no answer yet are there as soon as those that do, sent later on another connection.
      await ask(url, { path: "/nowhere" });
    }
    // Of the last two nobody can know that they are not Prosody's, so they are waited for, but not as long as they last.
    await romeo.sendText(julietJid, "in spite of it");
    await waitFor(() => juliet.received(roomId).includes("in spite of it"), "the message");
  });
}
