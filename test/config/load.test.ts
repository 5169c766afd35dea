import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { databaseName, databaseSecrets, sqlitePathOf } from "../../src/config/database.ts";
import { ConfigError, loadConfig } from "../../src/config/load.ts";
import { secretsOf } from "../../src/config/schema.ts";
import { sample } from "./sample.ts";

function load(content: unknown, env: Record<string, string> = {}, files: Record<string, string> = {}) {
  const all: Record<string, string> = {
    "/etc/causeway/config.json": typeof content === "string" ? content : JSON.stringify(content),
    ...files,
  };
  return loadConfig({
    file: "/etc/causeway/config.json",
    env,
    readFile: (path) => {
      const text = all[path];
      if (text === undefined) throw Object.assign(new Error(`no such file ${path}`), { code: "ENOENT" });
      return text;
    },
  });
}

function problemsOf(...args: Parameters<typeof load>): Record<string, string> {
  try {
    load(...args);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    for (const { path, problem } of error.problems) assert.ok(error.message.includes(`${path}: ${problem}`));
    return Object.fromEntries(error.problems.map(({ path, problem }) => [path, problem]));
  }
  return assert.fail("the configuration was taken");
}

test("the required keys alone make a configuration with every default", () => {
  assert.deepEqual(load(sample), {
    ...sample,
    appservice: { ...sample.appservice, userPrefix: "_xmpp_" },
    xmpp: { ...sample.xmpp, xhtmlIm: false },
    database: "sqlite:/etc/causeway/data/causeway.db",
    delivery: { giveUpAfterHours: 24, maxConcurrentLanes: 256, statusEvents: false },
    queue: { perConversation: 1000, perNetwork: 100_000 },
    privacy: { presence: true, receipts: true, typing: true },
    media: { linksExpireAfterDays: 14, maxBytes: 52_428_800, allowedNetworks: [] },
    rooms: {
      access: { portal: "user", link: "user", gateway: "user" },
      mucServices: { allow: ["*"], deny: [] },
      homeservers: { allow: ["*"], deny: [] },
      maxPerUser: 100,
      mode: "puppets",
      relayTemplate: "{name}: {message}",
      relayNotices: true,
      lazyAbove: 100,
      historyMessages: 50,
      powerLevels: { owner: 100, admin: 75, moderator: 50 },
    },
    logging: { level: "info", format: "text" },
  });
});

test("the example at the root of the repository is complete and valid", () => {
  const file = new URL("../../config.json", import.meta.url).pathname;
  const config = loadConfig({ file, env: {}, readFile: (path) => readFileSync(path, "utf8") });
  const example = JSON.parse(readFileSync(file, "utf8"));
  assert.deepEqual(config, { ...example, database: `sqlite:${dirname(file)}/data/causeway.db` });
});

test("settings of rooms that contradict themselves are told", () => {
  const rooms = {
    relayTemplate: "{name} spoke",
    powerLevels: { owner: 50, admin: 75 },
    mucServices: { deny: ["https://conference.example"] },
  };
  assert.deepEqual(Object.keys(problemsOf({ ...sample, rooms }, {})), [
    "rooms.mucServices.deny.0",
    "rooms.relayTemplate",
    "rooms.powerLevels",
  ]);
});

test("all problems are told at once, each by its path", () => {
  const { homeserver, listen, ...rest } = sample;
  assert.deepEqual(
    problemsOf(
      {
        ...rest,
        homeserver: { url: 5, domian: "hs.test" },
        xmpp: { ...sample.xmpp, restAuth: { username: "bridge" }, callbackSecret: "not alphanumeric!" },
        admin: { host: "127.0.0.1", port: "9556" },
        permissions: { "*": "root" },
        extra: 1,
      },
      {
        CAUSEWAY_HOMESERVER__DOMIAN: "x",
        CAUSEWAY_LOGGING: "{",
        CAUSEWAY_APPSERVICE__AS_TOKEN_FILE: "/nowhere",
      },
    ),
    {
      "homeserver.url": "must be a string",
      "homeserver.domain": "is missing",
      "homeserver.domian": "is not a known key",
      "xmpp.restAuth.password": "is missing",
      "xmpp.callbackSecret": "must be 16 or more ASCII letters and digits",
      listen: "is missing",
      "admin.port": "must be a number",
      "permissions.*": 'must be one of "block", "user", "admin"',
      extra: "is not a known key",
      CAUSEWAY_HOMESERVER__DOMIAN: "is not a known variable",
      CAUSEWAY_LOGGING: "must be JSON",
      CAUSEWAY_APPSERVICE__AS_TOKEN_FILE: "names a file that cannot be read: ENOENT",
    },
  );
});

test("broken JSON is told by line and column and none of it is repeated", () => {
  const at = (line: number, column: number) => ({
    "/etc/causeway/config.json": `is not JSON: line ${line}, column ${column}`,
  });
  assert.deepEqual(problemsOf('{\n  "asToken": hunter2,\n  "a": 1 }'), at(2, 14));
  assert.deepEqual(problemsOf('{\n  "a": [1,]\n}'), at(2, 11));
  assert.deepEqual(problemsOf('{\n  "a": 1,\n}'), at(3, 1));
  assert.deepEqual(problemsOf('{\n  "a": "cut'), at(2, 12));
  assert.deepEqual(problemsOf('{\n  "a":'), at(2, 7));
  assert.deepEqual(problemsOf(""), at(1, 1));
});

test("a missing file and the environment's mistakes are told together", () => {
  const readFile = () => {
    throw Object.assign(new Error("no"), { code: "EACCES" });
  };
  assert.throws(() => loadConfig({ file: "c.json", env: { CAUSEWAY_X: "1", HOME: "/" }, readFile }), {
    name: "ConfigError",
    problems: [
      { path: "c.json", problem: "cannot be read: EACCES" },
      { path: "CAUSEWAY_X", problem: "is not a known variable" },
    ],
  });
});

test("the environment replaces single values, in whatever depth and type", () => {
  const config = load(
    sample,
    {
      CAUSEWAY_APPSERVICE__AS_TOKEN: "12345678901234567890",
      CAUSEWAY_XMPP__REST_AUTH__PASSWORD_FILE: "/run/secrets/rest",
      CAUSEWAY_LISTEN: '{"host":"0.0.0.0","port":1}',
      CAUSEWAY_LISTEN__PORT: "8080",
      CAUSEWAY_PERMISSIONS: '{"montague.example":"admin"}',
      CAUSEWAY_LOGGING__LEVEL: "debug",
    },
    { "/run/secrets/rest": "line one\nline two\n\n" },
  );
  assert.equal(config.appservice.asToken, "12345678901234567890");
  assert.deepEqual(config.xmpp.restAuth, { username: "bridge.xmpp.test", password: "line one\nline two\n" });
  assert.deepEqual(config.listen, { host: "0.0.0.0", port: 8080 });
  assert.deepEqual(config.permissions, { "montague.example": "admin" });
  assert.deepEqual(config.logging, { level: "debug", format: "text" });
});

test("trusted proxies are addresses or networks, and none where they are left out", () => {
  const withProxies = (trustedProxies: unknown) =>
    load({ ...sample, listen: { ...sample.listen, trustedProxies } });
  assert.equal(load(sample).listen.trustedProxies, undefined);
  const good = ["127.0.0.1", "::1", "10.0.0.0/8", "2001:db8::/32"];
  assert.deepEqual(withProxies(good).listen.trustedProxies, good);
  for (const wrong of [
    "proxy.example",
    "10.0.0.0/33",
    "::/129",
    "10.0.0.0/8/8",
    "1.2.3.4/",
    "loopback",
    "",
  ]) {
    assert.throws(() => withProxies([wrong]), { name: "ConfigError" }, wrong);
  }
});

test("the environment alone can fill an empty file", () => {
  const env = Object.fromEntries(
    Object.entries(sample).map(([key, value]) => [
      `CAUSEWAY_${key.replace("U", "_U").toUpperCase()}`,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
  );
  assert.deepEqual(load({}, env), load(sample));
});

test("a variable and its file together are refused", () => {
  assert.deepEqual(
    problemsOf(
      sample,
      { CAUSEWAY_DATABASE: "sqlite:a", CAUSEWAY_DATABASE_FILE: "/db" },
      { "/db": "sqlite:b" },
    ),
    { CAUSEWAY_DATABASE_FILE: "is set together with CAUSEWAY_DATABASE; only one of them can count" },
  );
});

test("a database is a file of SQLite or an address of PostgreSQL, and anything else is refused", () => {
  for (const database of [
    "postgres://db/causeway",
    "postgresql://bridge:O%20Romeo@db.example:5433/causeway?sslmode=verify-full",
    "postgres://bridge@/causeway?host=/run/postgresql",
    "postgres:///causeway",
  ]) {
    assert.equal(load({ ...sample, database }).database, database);
  }
  const either = "must be sqlite:PATH, such as sqlite:./data/causeway.db, or postgres://USER@HOST/NAME";
  for (const database of ["sqlite:", "./data/causeway.db", "mysql://db/causeway", ""])
    assert.deepEqual(problemsOf({ ...sample, database }), { database: either });
  const address =
    "must be a URL such as postgres://USER:PASSWORD@HOST:5432/NAME; in user and password, characters such as / ? # @ % have to be percent-encoded";
  for (const database of [
    "postgres:causeway",
    "postgres://bridge:a/b@db/causeway",
    "postgres://bridge:1#b@db/causeway",
    "postgres://bridge:100%@db/causeway",
    "postgres://db:port/causeway",
  ]) {
    assert.deepEqual(problemsOf({ ...sample, database }), { database: address });
  }
});

test("the password of the database is a secret in each form, and its name shows none", () => {
  const forms = (database: string) => [databaseSecrets(database), databaseName(database)];
  assert.deepEqual(forms("postgres://bridge:O%20Romeo%21ü@db:5433/causeway?sslmode=require"), [
    ["O%20Romeo%21ü", "O%20Romeo%21%C3%BC", "O Romeo!ü"],
    "postgres://db:5433/causeway",
  ]);
  assert.deepEqual(forms("postgres://bridge:secret@/causeway?host=/run"), [
    ["secret"],
    "postgres://localhost/causeway",
  ]);
  assert.deepEqual(forms("postgres://db/causeway?user=bridge&password=Verona"), [
    ["Verona"],
    "postgres://db/causeway",
  ]);
  assert.deepEqual(forms("postgres://bridge@db/causeway"), [[], "postgres://db/causeway"]);
  assert.deepEqual(forms("sqlite:/a:b@c.db"), [[], "/a:b@c.db"]);
  const config = load({ ...sample, database: "postgres://bridge:Capulets@db/causeway" });
  assert.ok(secretsOf(config).includes("Capulets"));
});

test("an absolute path and the memory stay where they are", () => {
  for (const path of ["/var/lib/causeway.db", ":memory:"]) {
    assert.equal(sqlitePathOf(load({ ...sample, database: `sqlite:${path}` }).database), path);
  }
});

test("a slash at the end of a URL is dropped, and a URL with a password in it refused", () => {
  assert.equal(load({ ...sample, publicUrl: "https://b.example/x//" }).publicUrl, "https://b.example/x");
  for (const publicUrl of [
    "https://a:b@b.example",
    "ftp://b.example",
    "b.example",
    "https://",
    "https://b/?q",
  ]) {
    assert.deepEqual(problemsOf({ ...sample, publicUrl }), {
      publicUrl: "must be a http:// or https:// URL without user, query or fragment",
    });
  }
});

test("credentials for mod_rest are both of a pair, a bearer token, or nothing", () => {
  const withAuth = (restAuth: unknown) => ({ ...sample, xmpp: { ...sample.xmpp, restAuth } });
  assert.equal(load(withAuth(undefined)).xmpp.restAuth, undefined);
  const bearer = { bearer: "bearer-token-0123456789" };
  assert.deepEqual(load(withAuth(bearer)).xmpp.restAuth, bearer);
  assert.deepEqual(problemsOf(withAuth({ ...sample.xmpp.restAuth, ...bearer })), {
    "xmpp.restAuth.bearer": "is not a known key",
  });
  assert.deepEqual(problemsOf(withAuth("secret")), { "xmpp.restAuth": "must be an object" });
});

test("contact addresses are URIs under purposes that XMPP knows", () => {
  const withContact = (contact: unknown) => ({ ...sample, xmpp: { ...sample.xmpp, contact } });
  const contact = {
    admin: ["mailto:a@hs.example", "xmpp:a@xmpp.example"],
    support: ["https://hs.example/help"],
  };
  assert.deepEqual(load(withContact(contact)).xmpp.contact, contact);
  assert.equal(load(withContact(undefined)).xmpp.contact, undefined);
  const uri = "must be a mailto:, xmpp: or https: URI";
  assert.deepEqual(problemsOf(withContact({ admin: ["a@hs.example"], abuse: ["http://a"] })), {
    "xmpp.contact.admin.0": uri,
    "xmpp.contact.abuse.0": uri,
  });
  assert.deepEqual(problemsOf(withContact({ boss: [] })), { "xmpp.contact.boss": "is not a known key" });
});

test("whatever the file holds, what is no configuration is told as a ConfigError", () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string(), fc.constant("null"), fc.constant("[]")), (text) => {
      assert.throws(() => load(text, { CAUSEWAY_LISTEN__PORT: "1" }), { name: "ConfigError" });
    }),
  );
});
