import assert from "node:assert/strict";
import { test } from "node:test";
import type { UserId } from "../../src/matrix/ids.ts";
import { createKeys } from "../../src/push/keys.ts";
import { PushRefusal } from "../../src/push/refusal.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";

const juliet = "@juliet:hs.example" as UserId;
const jid = (n: number) => `romeo${n}@xmpp.example` as BareJid;

test("an owner has one key for an address while it works, and twenty addresses at most", async (t) => {
  const store = openSqliteStore({ path: ":memory:", now: () => 0 });
  t.after(() => store.close());
  let made = 0;
  const keys = createKeys({
    permissions: { "*": "user" },
    store: store.pushKeys,
    newKey: () => `key ${made++}`,
    now: () => 0,
  });
  for (let n = 0; n < 20; n += 1) assert.equal((await keys.ensure(juliet, jid(n))).key, `key ${n}`);
  assert.equal((await keys.ensure(juliet, jid(3))).key, "key 3");
  await assert.rejects(keys.ensure(juliet, jid(20)), PushRefusal);
  assert.equal((await keys.ensure(jid(20), jid(20))).key, "key 20");
  const third = await keys.find("key 3");
  assert.ok(third);
  await keys.remove(third);
  assert.equal(await keys.find("key 3"), undefined);
  const again = await keys.ensure(juliet, jid(3));
  assert.equal(again.key, "key 21");
  await keys.end(again, "gone");
  assert.equal(keys.works({ ...again, ended: "gone" }), false);
});

test("an ended key is replaced by a new one even where an owner has as many as may be", async (t) => {
  const store = openSqliteStore({ path: ":memory:", now: () => 0 });
  t.after(() => store.close());
  let made = 0;
  const newKey = () => `key ${made++}`;
  const keys = createKeys({ permissions: { "*": "user" }, store: store.pushKeys, newKey, now: () => 0 });
  for (let n = 0; n < 20; n += 1) await keys.ensure(juliet, jid(n));
  const first = await keys.find("key 0");
  assert.ok(first);
  await keys.end(first, "gone");
  assert.equal((await keys.ensure(juliet, jid(0))).key, "key 20");
  assert.equal(await keys.find("key 0"), undefined);
});
