import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readForm } from "../../src/mapping/data-forms.ts";
import { type Configured, configForm, readConfig } from "../../src/mapping/room-config.ts";
import { xml } from "../../src/xmpp/stanza.ts";

const room: Configured = {
  name: "The Ball",
  topic: "Masks on",
  joinRule: "public",
  historyVisibility: "shared",
  powerLevels: { events: { "m.room.name": 50 }, users_default: 0, invite: 0 },
  isListed: false,
};
const submit = (fields: Record<string, string>, of = room) => {
  const values = Object.entries({ FORM_TYPE: "http://jabber.org/protocol/muc#roomconfig", ...fields }).map(
    ([name, value]) => xml("field", { var: name }, xml("value", {}, value)),
  );
  const form = readForm(xml("query", {}, xml("x", { xmlns: "jabber:x:data", type: "submit" }, ...values)));
  assert.ok(form);
  return readConfig(form, of);
};
const nothing = { state: {}, isListed: undefined };
const config = (name: string): string => `muc#roomconfig_${name}`;

test("the form shows the room as it is", () => {
  const read = readForm(configForm(room));
  assert.deepEqual(Object.fromEntries(read?.values ?? []), {
    [config("roomname")]: ["The Ball"],
    [config("roomdesc")]: ["Masks on"],
    [config("publicroom")]: ["0"],
    [config("membersonly")]: ["0"],
    [config("moderatedroom")]: ["0"],
    [config("changesubject")]: ["0"],
    [config("allowinvites")]: ["1"],
    [config("enablelogging")]: ["0"],
    [config("persistentroom")]: ["1"],
    [config("whois")]: ["anyone"],
  });
});

test("the form as it came, sent back, changes nothing", () => {
  const levels = fc.integer({ min: -1, max: 100 });
  fc.assert(
    fc.property(
      fc.record({
        name: fc.option(fc.stringMatching(/^[a-z]{1,9}$/), { nil: undefined }),
        topic: fc.option(fc.stringMatching(/^[a-z]{1,9}$/), { nil: undefined }),
        joinRule: fc.constantFrom("public", "invite", "knock", "restricted"),
        historyVisibility: fc.constantFrom("shared", "joined", "world_readable"),
        powerLevels: fc.record({ users_default: levels, events_default: levels, invite: levels }),
        isListed: fc.constantFrom(true, false, undefined),
      }),
      (any) => {
        const form = readForm(configForm(any));
        assert.ok(form);
        assert.deepEqual(readConfig(form, any), nothing);
      },
    ),
  );
});

test("each field becomes the state that it is about", () => {
  assert.deepEqual(submit({ [config("roomname")]: "The Tomb", [config("roomdesc")]: "" }), {
    state: { "m.room.name": { name: "The Tomb" }, "m.room.topic": { topic: "" } },
    isListed: undefined,
  });
  assert.deepEqual(submit({ [config("publicroom")]: "1" }), { state: {}, isListed: true });
  assert.deepEqual(submit({ [config("membersonly")]: "true" }), {
    ...nothing,
    state: { "m.room.join_rules": { join_rule: "invite" } },
  });
  assert.deepEqual(submit({ [config("enablelogging")]: "1" }), {
    ...nothing,
    state: { "m.room.history_visibility": { history_visibility: "world_readable" } },
  });
  const powers = { ...room.powerLevels };
  assert.deepEqual(submit({ [config("moderatedroom")]: "1" }), {
    ...nothing,
    state: { "m.room.power_levels": { ...powers, events_default: 50 } },
  });
  assert.deepEqual(submit({ [config("changesubject")]: "1" }), {
    ...nothing,
    state: { "m.room.power_levels": { ...powers, events: { "m.room.name": 50, "m.room.topic": 0 } } },
  });
  assert.deepEqual(submit({ [config("allowinvites")]: "0" }), {
    ...nothing,
    state: { "m.room.power_levels": { ...powers, invite: 50 } },
  });
});

test("a room that one can knock on stays so when it stays closed", () => {
  assert.deepEqual(submit({ [config("membersonly")]: "1" }, { ...room, joinRule: "knock" }), nothing);
});

test("what Matrix does not have is refused with a reason, and unknown fields are left alone", () => {
  const refused = (fields: Record<string, string>): unknown => {
    const read = submit(fields);
    return "condition" in read && read.condition;
  };
  assert.equal(refused({ [config("whois")]: "moderators" }), "not-acceptable");
  assert.equal(refused({ [config("passwordprotectedroom")]: "1" }), "not-acceptable");
  assert.equal(refused({ [config("persistentroom")]: "0" }), "not-acceptable");
  assert.equal(refused({ FORM_TYPE: "urn:example" }), "bad-request");
  assert.deepEqual(submit({ [config("maxusers")]: "10", __proto__: "x" }), nothing);
});
