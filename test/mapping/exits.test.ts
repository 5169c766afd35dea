import assert from "node:assert/strict";
import { test } from "node:test";
import { type Exit, exitOf } from "../../src/mapping/exits.ts";
import type { Affiliation } from "../../src/xmpp/affiliation.ts";

const cases: [string, number[], Affiliation, Exit][] = [
  ["nobody says why", [110], "none", "left"],
  ["they have another nick", [110, 303], "member", "renamed"],
  ["a moderator kicks them", [110, 307], "none", "kicked"],
  ["the server cannot reach them", [110, 307, 333], "none", "lost"],
  ["the service goes down", [110, 332], "none", "lost"],
  ["they are banned", [110, 301], "outcast", "banned"],
  ["the whole domain of the bridge is banned", [110, 301], "none", "lost"],
  ["the room is for members now", [110, 322], "none", "kicked"],
  ["they are a member no longer", [110, 321], "none", "kicked"],
];

for (const [title, statuses, affiliation, exit] of cases) {
  test(`an occupant who goes because ${title} has ${exit === "lost" ? "been " : ""}${exit}`, () => {
    assert.equal(exitOf({ statuses: new Set(statuses), affiliation }), exit);
  });
}

test("an occupant of a room that is destroyed goes with it", () => {
  assert.equal(exitOf({ statuses: new Set([110]), affiliation: "owner", destroyed: {} }), "destroyed");
});
