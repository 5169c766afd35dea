import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { rankOf } from "../../src/mapping/affiliations.ts";
import {
  type Change,
  mayRead,
  type Powers,
  planChanges,
  readAdminItems,
  type Target,
} from "../../src/mapping/room-admin.ts";
import type { Content } from "../../src/matrix/event.ts";
import type { UserId } from "../../src/matrix/ids.ts";
import { affiliations, roles } from "../../src/xmpp/affiliation.ts";
import { parseElement } from "../../src/xmpp/stanza.ts";

const table = { owner: 100, admin: 75, moderator: 50 };
const [escalus, juliet, romeo, mercutio] = [
  "@escalus:hs.test",
  "@juliet:hs.test",
  "@_xmpp_romeo=40xmpp.test:hs.test",
  "@mercutio:hs.test",
] as UserId[] as [UserId, UserId, UserId, UserId];

/** A room where the Prince owns, Juliet moderates and the others have nothing. */
function roomWith(joinRule = "public", more: Record<string, number> = {}): Powers {
  const powerLevels: Content = { users: { [escalus]: 100, [juliet]: 50, ...more }, events_default: 0 };
  const users = powerLevels.users as Record<string, number>;
  const levelOf = (userId: UserId): number => users[userId] ?? 0;
  return {
    powerLevels,
    joinRule,
    levelOf,
    may: (userId, action, to) =>
      levelOf(userId) >= (action === "invite" ? 0 : 50) &&
      (to === undefined || levelOf(userId) > levelOf(to)),
    maySetState: (userId) => levelOf(userId) >= 50,
  };
}
const targetIn = (room: Powers, userId: UserId, membership = "join"): Target => ({
  userId,
  membership,
  rank: rankOf(room.levelOf(userId), room.powerLevels, table),
});
const owners = new Set([escalus]);
const plan = (room: Powers, actor: UserId, ...changes: Change[]) =>
  planChanges(changes, actor, room, { table, owners });
const conditionOf = (planned: ReturnType<typeof plan>): string =>
  "condition" in planned ? `${planned.type}/${planned.condition}` : "done";
const reason = "Enough";

test("taking the role is a kick, the affiliation outcast a ban, none the end of it", () => {
  const room = roomWith();
  const [here, banned] = [targetIn(room, romeo), targetIn(room, romeo, "ban")];
  const step = (what: string) => ({ powerLevels: undefined, steps: [{ do: what, userId: romeo, reason }] });
  assert.deepEqual(plan(room, juliet, { target: here, reason, role: "none" }), step("kick"));
  assert.deepEqual(plan(room, juliet, { target: here, reason, affiliation: "outcast" }), step("ban"));
  assert.deepEqual(plan(room, juliet, { target: banned, reason, affiliation: "none" }), step("unban"));
  assert.deepEqual(plan(room, juliet, { target: here, reason, affiliation: "none" }), {
    powerLevels: undefined,
    steps: [],
  });
});

test("voice and rank become power levels, and those with the usual one need no entry", () => {
  const room = roomWith();
  const here = targetIn(room, romeo);
  const levels = (planned: ReturnType<typeof plan>): unknown => {
    const users = "condition" in planned ? planned : planned.powerLevels?.users;
    return (users as Record<string, number>)[romeo];
  };
  assert.equal(levels(plan(room, escalus, { target: here, reason, role: "visitor" })), -1);
  assert.equal(levels(plan(room, escalus, { target: here, reason, role: "moderator" })), 50);
  assert.equal(levels(plan(room, escalus, { target: here, reason, affiliation: "admin" })), 75);
  assert.equal(levels(plan(room, escalus, { target: here, reason, affiliation: "owner" })), 100);
  const raised = roomWith("public", { [romeo]: 75 });
  const admin = targetIn(raised, romeo);
  assert.equal(levels(plan(raised, escalus, { target: admin, reason, affiliation: "none" })), undefined);
});

test("whoever is named and not there is invited", () => {
  const room = roomWith("invite");
  const away = targetIn(room, romeo, "leave");
  const invited = [{ do: "invite", userId: romeo, reason }];
  const member = plan(room, escalus, { target: away, reason, affiliation: "member" });
  assert.deepEqual(member, { powerLevels: undefined, steps: invited });
  const admin = plan(room, escalus, { target: away, reason, affiliation: "admin" });
  assert.deepEqual("steps" in admin && admin.steps, invited);
});

test("in a room that is for members only, who is no member any more has to go", () => {
  const room = roomWith("invite");
  assert.deepEqual(plan(room, escalus, { target: targetIn(room, romeo), reason, affiliation: "none" }), {
    powerLevels: undefined,
    steps: [{ do: "kick", userId: romeo, reason }],
  });
});

test("nobody does to others what Matrix or XEP-0045 do not let them do", () => {
  const room = roomWith();
  const refused = (actor: UserId, change: Change): string => conditionOf(plan(room, actor, change));
  const at = (userId: UserId): Target => targetIn(room, userId);
  assert.equal(refused(romeo, { target: at(mercutio), reason, role: "none" }), "auth/forbidden");
  assert.equal(refused(romeo, { target: at(mercutio), reason, role: "visitor" }), "auth/forbidden");
  assert.equal(refused(juliet, { target: at(escalus), reason, role: "none" }), "cancel/not-allowed");
  assert.equal(
    refused(juliet, { target: at(escalus), reason, affiliation: "outcast" }),
    "cancel/not-allowed",
  );
  assert.equal(refused(juliet, { target: at(romeo), reason, affiliation: "admin" }), "cancel/not-allowed");
  assert.equal(refused(juliet, { target: at(escalus), reason, role: "visitor" }), "cancel/not-allowed");
  assert.equal(refused(juliet, { target: at(juliet), reason, affiliation: "outcast" }), "cancel/conflict");
  assert.equal(refused(juliet, { target: at(juliet), reason, role: "none" }), "cancel/conflict");
  assert.equal(
    refused(escalus, { target: targetIn(room, romeo, "ban"), reason, affiliation: "owner" }),
    "cancel/not-allowed",
  );
});

test("the last owner stays one until there is another", () => {
  const room = roomWith();
  const resign: Change = { target: targetIn(room, escalus), reason, affiliation: "none" };
  assert.equal(conditionOf(plan(room, escalus, resign)), "cancel/conflict");
  const heir: Change = { target: targetIn(room, juliet), reason, affiliation: "owner" };
  const both = plan(room, escalus, heir, resign);
  assert.deepEqual("powerLevels" in both && both.powerLevels?.users, { [juliet]: 100 });
});

test("one item that is not allowed keeps the others from being done", () => {
  const room = roomWith();
  const planned = plan(
    room,
    juliet,
    { target: targetIn(room, romeo), reason, affiliation: "outcast" },
    { target: targetIn(room, escalus), reason, affiliation: "outcast" },
  );
  assert.equal(conditionOf(planned), "cancel/not-allowed");
});

test("no plan ever gives anybody more power than the one who makes it, or touches their equals", () => {
  const people = [escalus, juliet, romeo, mercutio];
  const change = fc.record({
    userId: fc.constantFrom(...people),
    membership: fc.constantFrom("join", "leave", "invite", "ban", "knock"),
    what: fc.oneof(
      fc.constantFrom(...affiliations).map((affiliation) => ({ affiliation })),
      fc.constantFrom(...roles).map((role) => ({ role })),
    ),
  });
  fc.assert(
    fc.property(
      fc.constantFrom(...people),
      fc.constantFrom("public", "invite"),
      change,
      (actor, rule, made) => {
        const room = roomWith(rule, { [mercutio]: 75 });
        const target = targetIn(room, made.userId, made.membership);
        const planned = plan(room, actor, { target, reason: undefined, ...made.what } as Change);
        if ("condition" in planned) return;
        const before = room.levelOf(made.userId);
        const users = planned.powerLevels?.users as Record<string, number> | undefined;
        const now = users ? (users[made.userId] ?? 0) : before;
        if (now !== before) assert.ok(now <= room.levelOf(actor));
        if (now !== before && actor !== made.userId) assert.ok(before < room.levelOf(actor));
        for (const step of planned.steps) {
          if (step.do === "kick" || step.do === "ban") assert.ok(before < room.levelOf(actor));
        }
      },
    ),
  );
});

test("items are read, and those that say too little or too much are refused", () => {
  const read = (inner: string) =>
    readAdminItems(parseElement(`<query xmlns='http://jabber.org/protocol/muc#admin'>${inner}</query>`));
  assert.deepEqual(read("<item nick='Romeo' role='none'><reason> Out! </reason></item>"), [
    { affiliation: undefined, role: "none", jid: undefined, nick: "Romeo", reason: "Out!" },
  ]);
  assert.deepEqual(read("<item jid='romeo@xmpp.test/phone' affiliation='outcast'/>"), [
    { affiliation: "outcast", role: undefined, jid: "romeo@xmpp.test", nick: undefined, reason: undefined },
  ]);
  for (const bad of [
    "",
    "<item nick='Romeo'/>",
    "<item nick='Romeo' role='none' affiliation='none'/>",
    "<item nick='Romeo' role='king'/>",
    "<item jid='@' affiliation='none'/>",
    "<item role='none' nick='x'/>".repeat(51),
  ]) {
    const answer = read(bad);
    assert.equal("condition" in answer && answer.condition, "bad-request", bad);
  }
});

test("lists are for those whom they concern", () => {
  const item = (kind: "affiliation" | "role", value: string) =>
    ({ affiliation: undefined, role: undefined, [kind]: value }) as unknown as Parameters<typeof mayRead>[1];
  const owner = { affiliation: "owner", role: "moderator" } as const;
  const admin = { affiliation: "admin", role: "moderator" } as const;
  const moderator = { affiliation: "none", role: "moderator" } as const;
  const member = { affiliation: "member", role: "participant" } as const;
  const guest = { affiliation: "none", role: "participant" } as const;
  const may = (rank: Parameters<typeof mayRead>[0], value: string, rule = "public"): boolean =>
    mayRead(rank, item("affiliation", value), rule);
  assert.deepEqual(
    [owner, admin, moderator, guest].map((rank) => may(rank, "owner")),
    [true, false, false, false],
  );
  assert.deepEqual(
    [owner, admin, moderator, guest].map((rank) => may(rank, "member")),
    [true, true, false, false],
  );
  assert.deepEqual(
    [owner, admin, moderator, guest].map((rank) => may(rank, "outcast")),
    [true, true, true, false],
  );
  assert.equal(may(member, "owner", "invite"), true);
  assert.deepEqual(
    [moderator, guest].map((rank) => mayRead(rank, item("role", "visitor"), "public")),
    [true, false],
  );
});
