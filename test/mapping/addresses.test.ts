/** Both address maps are injective, reversible and safe from the other network's preparation. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { createAddresses } from "../../src/mapping/addresses.ts";
import {
  byteLength,
  parseRoomAlias,
  parseUserId,
  type RoomAlias,
  type RoomId,
  type UserId,
} from "../../src/matrix/ids.ts";
import {
  type BareJid,
  bareOf,
  type FullJid,
  localOf,
  parseBareJid,
  parseFullJid,
} from "../../src/xmpp/jid.ts";
import { aliases, bareJids, occupants, roomIds, texts, users } from "../support/identifiers.ts";
import { nodeprep } from "../support/nodeprep.ts";

const options = {
  homeserverDomain: "hs.test",
  component: "bridge.xmpp.test",
  userPrefix: "_xmpp_",
  digest: (text: string) => createHash("sha256").update(text).digest("hex"),
};
const addresses = createAddresses(options);

function user(text: string): UserId {
  const userId = parseUserId(text);
  assert.ok(userId, text);
  return userId;
}

function bare(text: string): BareJid {
  const jid = parseBareJid(text);
  assert.ok(jid, text);
  return jid;
}

test("XMPP users, occupants and rooms get the Matrix names of the design", () => {
  assert.equal(addresses.ghostOf(bare("bob@xmpp.test")), "@_xmpp_bob=40xmpp.test:hs.test");
  assert.equal(
    addresses.ghostOf(parseFullJid("room@conference.xmpp.test/Bob") as FullJid),
    "@_xmpp_room=40conference.xmpp.test=2f=42ob:hs.test",
  );
  assert.equal(
    addresses.aliasOf(bare("room@conference.xmpp.test")),
    "#_xmpp_room=40conference.xmpp.test:hs.test",
  );
  assert.equal(addresses.ghostOf(bare("a=é@xmpp.test")), "@_xmpp_a=3d=c3=a9=40xmpp.test:hs.test");
  assert.equal(addresses.botUserId, "@_xmpp_bot:hs.test");
});

test("Matrix users and rooms get the XMPP names of the design", () => {
  for (const [id, jid] of [
    ["@alice:hs.test", "alice%hs.test@bridge.xmpp.test"],
    ["@alice:hs.test:8448", "alice%hs.test\\3a8448@bridge.xmpp.test"],
    ["@Alice:hs.test", "\\41lice%hs.test@bridge.xmpp.test"],
    ["@a/b%c\\d=e:hs.test", "a\\2fb\\25c\\5cd=e%hs.test@bridge.xmpp.test"],
    ["@zoë😀:hs.test", "zoë😀%hs.test@bridge.xmpp.test"],
    ["@strauß:hs.test", "strau\\c3\\9f%hs.test@bridge.xmpp.test"],
    ["@zoe\u0308:hs.test", "zoe\\cc\\88%hs.test@bridge.xmpp.test"],
    ["@אב:hs.test", "\\d7\\90\\d7\\91%hs.test@bridge.xmpp.test"],
    ["@:hs.test", "%hs.test@bridge.xmpp.test"],
  ] as const) {
    assert.equal(addresses.jidOfUser(user(id)), jid);
    assert.equal(addresses.userOfJid(bare(jid)), id);
  }
  for (const [id, jid] of [
    ["#cafe:hs.test", "#cafe%hs.test@bridge.xmpp.test"],
    ["!a:hs.test", "!a%hs.test@bridge.xmpp.test"],
    ["!aB-_9", "!a\\42-_9@bridge.xmpp.test"],
  ] as const) {
    assert.equal(addresses.jidOfRoom(id as RoomId | RoomAlias), jid);
    assert.equal(addresses.roomOfJid(bare(jid)), id);
  }
});

test("our own homeserver may be left out, but not of a room ID", () => {
  assert.equal(addresses.userOfJid(bare("alice@bridge.xmpp.test")), "@alice:hs.test");
  assert.equal(addresses.roomOfJid(bare("#cafe@bridge.xmpp.test")), "#cafe:hs.test");
  assert.equal(addresses.roomOfJid(bare("!a@bridge.xmpp.test")), "!a");
});

test("a user whose name begins like a room is not taken for one", () => {
  const jid = addresses.jidOfUser(user("@#cafe:hs.test"));
  assert.equal(jid, "\\23cafe%hs.test@bridge.xmpp.test");
  assert.equal(addresses.userOfJid(jid), "@#cafe:hs.test");
  assert.equal(addresses.roomOfJid(jid), undefined);
  assert.equal(addresses.userOfJid(bare("#cafe%hs.test@bridge.xmpp.test")), undefined);
  assert.equal(addresses.userOfJid(bare("!a@bridge.xmpp.test")), undefined);
});

test("a JID that we would not write names nobody", () => {
  for (const text of [
    "bridge.xmpp.test",
    "alice%hs.test@xmpp.test",
    "alice%hs.test@sub.bridge.xmpp.test",
    "alice%hs_test@bridge.xmpp.test",
    "alice%@bridge.xmpp.test",
    "a%b%hs.test@bridge.xmpp.test",
    "\\61lice%hs.test@bridge.xmpp.test",
    "al\\ice%hs.test@bridge.xmpp.test",
    "alice\\%hs.test@bridge.xmpp.test",
    "alice\\c3%hs.test@bridge.xmpp.test",
    "alice\\00%hs.test@bridge.xmpp.test",
    "alice\\3ahs.test%1@bridge.xmpp.test",
    "\\c3\\ab%hs.test@bridge.xmpp.test",
    `${"a".repeat(250)}@bridge.xmpp.test`,
  ]) {
    assert.equal(addresses.userOfJid(bare(text)), undefined, text);
    assert.equal(addresses.roomOfJid(bare(text)), undefined, text);
  }
});

test("ghosts are told from the bot, from others' users and from other servers'", () => {
  for (const [id, expected] of [
    ["@_xmpp_bob=40xmpp.test:hs.test", true],
    ["@_xmpp_%%%:hs.test", true],
    ["@_xmpp_bot:hs.test", false],
    ["@_xmpp_bob=40xmpp.test:other.test", false],
    ["@alice:hs.test", false],
    ["@_xmpp_a:hs.test:8448", false],
  ] as const)
    assert.equal(addresses.isGhost(user(id)), expected, id);
  const numeric = createAddresses({ ...options, homeserverDomain: "8448" });
  assert.equal(numeric.isGhost(user("@_xmpp_a:hs.test:8448")), false);
});

test("a ghost that we would not make stands for nobody", () => {
  for (const id of [
    "@_xmpp_bot:hs.test",
    "@_xmpp_:hs.test",
    "@_xmpp_bob=40xmpp.test:other.test",
    "@bob=40xmpp.test:hs.test",
    "@_xmpp_bob=4:hs.test",
    "@_xmpp_bob=zz:hs.test",
    "@_xmpp_bob@xmpp.test:hs.test",
    "@_xmpp_b=6fb=40xmpp.test:hs.test",
    "@_xmpp_b=C3=A9=40xmpp.test:hs.test",
    "@_xmpp_=42ob=40xmpp.test:hs.test",
    "@_xmpp_=c3=40xmpp.test:hs.test",
    "@_xmpp_=ef=bb=bfbob=40xmpp.test.:hs.test",
    "@_xmpp_=40xmpp.test:hs.test",
    "@_xmpp_a==0123456789abcdef0123456789abcdef:hs.test",
  ]) {
    assert.equal(addresses.jidOfGhost(user(id)), undefined, id);
    assert.equal(addresses.occupantOfGhost(user(id)), undefined, id);
  }
});

test("a server called bot does not share the bot's name", () => {
  assert.equal(addresses.ghostOf(bare("bot")), "@_xmpp_=62ot:hs.test");
  assert.equal(addresses.jidOfGhost(user("@_xmpp_=62ot:hs.test")), "bot");
});

test("an over-long ghost keeps what fits of the JID and says that it is short", () => {
  const long = bare(`${"é".repeat(300)}@xmpp.test`);
  const ghost = addresses.ghostOf(long);
  assert.match(ghost, /^@_xmpp_(?:=c3=a9)+(?:=c3=a9)==[0-9a-f]{32}:hs\.test$/);
  assert.ok(byteLength(ghost) <= 255 && byteLength(ghost) > 255 - 6);
  assert.equal(addresses.ghostOf(long), ghost);
  assert.notEqual(addresses.ghostOf(bare(`${"é".repeat(301)}@xmpp.test`)), ghost);
  assert.equal(addresses.isShortened(ghost), true);
  assert.equal(addresses.isShortened(addresses.ghostOf(bare("bob@xmpp.test"))), false);
  assert.equal(addresses.isGhost(ghost), true);
  assert.equal(addresses.jidOfGhost(ghost), undefined);
});

test("the longest ghost that fits is whole and one byte more is short", () => {
  const room = 255 - byteLength("@_xmpp_=40xmpp.test:hs.test");
  const fits = bare(`${"a".repeat(room)}@xmpp.test`);
  assert.equal(byteLength(addresses.ghostOf(fits)), 255);
  assert.equal(addresses.jidOfGhost(addresses.ghostOf(fits)), fits);
  assert.equal(addresses.isShortened(addresses.ghostOf(bare(`a${fits}`))), true);
});

test("a homeserver name that leaves no room for short forms is refused at once", () => {
  assert.ok(createAddresses({ ...options, homeserverDomain: "a".repeat(213) }));
  assert.throws(() => createAddresses({ ...options, homeserverDomain: "a".repeat(214) }), /too long/);
  assert.throws(
    () => createAddresses({ ...options, homeserverDomain: "https://hs.test" }),
    /not a server name/,
  );
});

test("every ghost and alias is valid by the strict grammar and leads back to its JID, if whole", () => {
  fc.assert(
    fc.property(fc.oneof(bareJids, occupants), (jid) => {
      const ghost = addresses.ghostOf(jid);
      assert.equal(parseUserId(ghost), ghost);
      assert.match(ghost, /^@[a-z0-9._=+-]+:hs\.test$/);
      assert.equal(addresses.isGhost(ghost), true);
      const back = addresses.jidOfGhost(ghost) ?? addresses.occupantOfGhost(ghost);
      assert.equal(back, addresses.isShortened(ghost) ? undefined : jid);

      const alias = addresses.aliasOf(bareOf(jid));
      assert.equal(parseRoomAlias(alias), alias);
      assert.equal(addresses.jidOfAlias(alias), addresses.isShortened(alias) ? undefined : bareOf(jid));
    }),
    { numRuns: 1000 },
  );
});

test("any MXID in the ghosts' namespace stands for one JID at most, and only if we would write it so", () => {
  fc.assert(
    fc.property(texts, (localpart) => {
      const userId = parseUserId(`@_xmpp_${localpart}:hs.test`);
      const jid = userId && (addresses.jidOfGhost(userId) ?? addresses.occupantOfGhost(userId));
      if (jid !== undefined) assert.equal(addresses.ghostOf(jid), userId);
    }),
    { numRuns: 1000 },
  );
});

test("every Matrix identifier has a JID of its own kind, unchanged by nodeprep, that leads back to it", () => {
  fc.assert(
    fc.property(fc.oneof(users, aliases, roomIds), (id) => {
      const isUser = id.startsWith("@");
      const jid = isUser ? addresses.jidOfUser(id as UserId) : addresses.jidOfRoom(id as RoomId | RoomAlias);
      const local = localOf(jid) ?? "";
      assert.equal(parseBareJid(jid), jid);
      assert.ok(byteLength(local) <= 765);
      assert.equal(nodeprep(local), local);
      assert.equal(bareOf(jid), jid);
      assert.equal(addresses.userOfJid(jid), isUser ? id : undefined);
      assert.equal(addresses.roomOfJid(jid), isUser ? undefined : id);
    }),
    { numRuns: 3000 },
  );
});

test("any JID of the component names one user or room at most, and only if we would write it so", () => {
  fc.assert(
    fc.property(texts, (text) => {
      for (const local of [`${text}%hs.test`, text]) {
        const jid = parseBareJid(`${local}@bridge.xmpp.test`);
        const id = jid && (addresses.userOfJid(jid) ?? addresses.roomOfJid(jid));
        if (jid === undefined || id === undefined) continue;
        const own = id.startsWith("@")
          ? addresses.jidOfUser(id as UserId)
          : addresses.jidOfRoom(id as RoomId);
        assert.ok(own === jid || own === `${localOf(jid)}%hs.test@bridge.xmpp.test`);
      }
    }),
    { numRuns: 1000 },
  );
});
