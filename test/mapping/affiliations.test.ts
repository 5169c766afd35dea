import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { levelOfRank, levelOfUser, type PowerTable, rankOf } from "../../src/mapping/affiliations.ts";
import type { UserId } from "../../src/matrix/ids.ts";

const table: PowerTable = { owner: 100, admin: 75, moderator: 50 };
const juliet = "@juliet:hs.test" as UserId;

test("power levels are ranked as the table says", () => {
  const ranks = [150, 100, 99, 75, 50, 49, 0].map((level) => rankOf(level, {}, table));
  assert.deepEqual(
    ranks.map(({ affiliation, role }) => `${affiliation} ${role}`),
    [
      "owner moderator",
      "owner moderator",
      "admin moderator",
      "admin moderator",
      "none moderator",
      "none participant",
      "none participant",
    ],
  );
});

test("who may not speak is a visitor", () => {
  assert.deepEqual(rankOf(-1, {}, table), { affiliation: "none", role: "visitor" });
  assert.deepEqual(rankOf(9, { events_default: 10 }, table), { affiliation: "none", role: "visitor" });
  const levels = { events_default: 10, events: { "m.room.message": 0 } };
  assert.deepEqual(rankOf(9, levels, table), { affiliation: "none", role: "participant" });
});

test("creators of newer rooms, who have no level, are owners", () => {
  assert.equal(rankOf(Number.POSITIVE_INFINITY, {}, table).affiliation, "owner");
});

test("a user's own level counts before the usual one, also where it is text", () => {
  assert.equal(levelOfUser({}, juliet), 0);
  assert.equal(levelOfUser({ users_default: 5 }, juliet), 5);
  assert.equal(levelOfUser({ users: { [juliet]: 50 }, users_default: 5 }, juliet), 50);
  assert.equal(levelOfUser({ users: { [juliet]: "60" } }, juliet), 60);
  assert.equal(levelOfUser({ users: { [juliet]: "much" }, users_default: 5 }, juliet), 5);
  assert.equal(levelOfUser({ users: [] }, juliet), 0);
});

test("the level of a rank gives that rank again, in every room", () => {
  const levels = fc.record({
    users_default: fc.integer({ min: -10, max: 49 }),
    events_default: fc.integer({ min: 0, max: 49 }),
  });
  fc.assert(
    fc.property(levels, fc.integer({ min: -20, max: 120 }), (content, level) => {
      const rank = rankOf(level, content, table);
      assert.deepEqual(rankOf(levelOfRank(rank, content, table), content, table), rank);
    }),
  );
});
