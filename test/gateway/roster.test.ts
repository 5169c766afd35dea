import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RoomState } from "../../src/bridge/room-state.ts";
import { createRoster } from "../../src/gateway/roster.ts";
import { lookOf } from "../../src/mapping/nicks.ts";
import type { RoomId, UserId } from "../../src/matrix/ids.ts";
import type { RoomNick, RoomNicks } from "../../src/store/room-records.ts";

const roomId = "!cafe:hs.test" as RoomId;
const user = (name: string): UserId => `@${name}:hs.test` as UserId;
const rank = { affiliation: "none", role: "participant" } as const;

function rows(): RoomNicks & { all: RoomNick[] } {
  const all: RoomNick[] = [];
  return {
    all,
    ofRoom: async () => [...all],
    async save(row) {
      const others = all.filter(({ nick, userId }) => nick !== row.nick && userId !== row.userId);
      all.splice(0, all.length, ...others, row);
    },
    async remove(_, userId) {
      all.splice(0, all.length, ...all.filter((row) => row.userId !== userId));
    },
  };
}

const stateOf = (members: [UserId, string][]) =>
  ({
    members: new Map(
      members.map(([userId, displayName]) => [
        userId,
        { membership: "join", displayName, avatarUrl: undefined },
      ]),
    ),
  }) as unknown as RoomState;

test("nobody is called like somebody else, or so that they could be taken for each other", async () => {
  const names = fc.constantFrom("Juliet", "juliet", "Jul\u200biet", "Jullet", "Nurse", "", "\u{1f339}");
  await fc.assert(
    fc.asyncProperty(fc.array(names, { maxLength: 12 }), async (displayNames) => {
      const roster = await createRoster({ roomId, store: rows(), hasGuests: false });
      const members = displayNames.map((name, index): [UserId, string] => [user(`u${index}`), name]);
      roster.name(stateOf(members));
      const nicks = members.map(([userId, name]) => roster.nickOf(userId, name));
      assert.equal(new Set(nicks.map(lookOf)).size, nicks.length);
      for (const [index, [userId]] of members.entries()) {
        assert.equal(roster.userOf(nicks[index] ?? ""), userId);
      }
    }),
  );
});

test("another run knows what guests were told as long as they are there, and forgets it when they are not", async () => {
  const store = rows();
  const first = await createRoster({ roomId, store, hasGuests: false });
  await first.show(user("juliet"), { nick: "Juliet", rank });
  const next = await createRoster({ roomId, store, hasGuests: true });
  assert.deepEqual([...next.shown], [[user("juliet"), { nick: "Juliet", rank: undefined }]]);
  const later = await createRoster({ roomId, store, hasGuests: false });
  assert.deepEqual([...later.shown], []);
});

test("a nick is free again when the one who had it is gone or has another", async () => {
  const store = rows();
  const roster = await createRoster({ roomId, store, hasGuests: false });
  await roster.show(user("juliet"), { nick: "Juliet", rank });
  assert.equal(roster.isTaken("juliet", user("nurse")), true);
  assert.equal(roster.isTaken("juliet", user("juliet")), false);
  await roster.show(user("juliet"), { nick: "Capulet", rank });
  assert.equal(roster.isTaken("Juliet", user("nurse")), false);
  await roster.hide(user("juliet"));
  assert.equal(roster.isTaken("Capulet", user("nurse")), false);
  assert.deepEqual(store.all, []);
});

test("a name that somebody else has leads to another nick, and the same name to no change", async () => {
  const roster = await createRoster({ roomId, store: rows(), hasGuests: false });
  await roster.show(user("juliet"), { nick: "Juliet", rank });
  await roster.show(user("nurse"), { nick: "Nurse", rank });
  assert.equal(roster.renamed(user("nurse"), "Nurse"), undefined);
  assert.equal(roster.renamed(user("nurse"), "Juliet"), "Juliet (nurse)");
});

test("who is just coming cannot take what a member would be called", async () => {
  const roster = await createRoster({ roomId, store: rows(), hasGuests: false });
  const newcomer = user("_xmpp_mercutio=40xmpp.test");
  roster.name(
    stateOf([
      [newcomer, "JULIET"],
      [user("juliet"), "Juliet"],
    ]),
    newcomer,
  );
  assert.equal(roster.nickOf(user("juliet"), "Juliet"), "Juliet");
  assert.equal(roster.isTaken("JULIET", newcomer), true);
});
