/** What every backend promises of push keys and of what was sent for them. */
import assert from "node:assert/strict";
import { suite } from "node:test";
import type { UserId } from "../../src/matrix/ids.ts";
import type { PushKey } from "../../src/store/store.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";
import type { Check } from "./contract.ts";

const juliet = "@juliet:hs.example" as UserId;
const romeo = "romeo@xmpp.example" as BareJid;
const mercutio = "mercutio@xmpp.example" as BareJid;

const pushKey = (digest: string, more: Partial<PushKey> = {}): PushKey => ({
  digest,
  key: `key of ${digest}`,
  owner: juliet,
  jid: romeo,
  madeAt: 1000,
  unread: 0,
  ended: undefined,
  ...more,
});

export function testPush(backend: string, check: Check): void {
  suite(`push keys on ${backend}`, () => {
    check(
      "a key is found by its digest, its owner and its address, also after a restart",
      async ({ store, reopen }) => {
        const [first, second] = [pushKey("d1"), pushKey("d2", { jid: mercutio, madeAt: 2000, unread: 3 })];
        await store.pushKeys.save(first);
        await store.pushKeys.save(second);
        const { pushKeys } = await reopen();
        assert.deepEqual(await pushKeys.find("d1"), first);
        assert.equal(await pushKeys.find("d3"), undefined);
        assert.deepEqual(await pushKeys.ofOwner(juliet), [first, second]);
        assert.deepEqual(await pushKeys.ofOwner(mercutio), []);
        assert.deepEqual(await pushKeys.ofJid(mercutio), [second]);
      },
    );

    check(
      "an owner has one key for an address, the one made last; others have their own",
      async ({ store }) => {
        const theirs = pushKey("d3", { owner: romeo });
        for (const key of [pushKey("d1"), theirs, pushKey("d2")]) await store.pushKeys.save(key);
        assert.equal(await store.pushKeys.find("d1"), undefined);
        assert.deepEqual(await store.pushKeys.ofOwner(juliet), [pushKey("d2")]);
        assert.deepEqual(await store.pushKeys.ofOwner(romeo), [theirs]);
      },
    );

    check("an ended key keeps the reason and counts nothing; a removed one is gone", async ({ store }) => {
      await store.pushKeys.save(pushKey("d1", { unread: 4 }));
      await store.pushKeys.end("d1", "gone");
      assert.equal(await store.pushKeys.setUnread("d1", 5), false);
      assert.deepEqual(await store.pushKeys.find("d1"), pushKey("d1", { ended: "gone" }));
      await store.pushKeys.remove("d1");
      await store.pushKeys.remove("d1");
      assert.equal(await store.pushKeys.find("d1"), undefined);
    });

    check("a count tells whether it has changed", async ({ store }) => {
      await store.pushKeys.save(pushKey("d1"));
      const set = (unread: number) => store.pushKeys.setUnread("d1", unread);
      assert.deepEqual([await set(0), await set(2), await set(2), await set(0)], [false, true, false, true]);
      assert.equal(await store.pushKeys.setUnread("unknown", 1), false);
    });
  });

  suite(`notifications sent, on ${backend}`, () => {
    check("a notification is done once it was taken, also after a restart", async ({ store, reopen }) => {
      const { pushDeliveries } = store;
      await pushDeliveries.note("s1", "d1", "refused");
      assert.equal(await pushDeliveries.isDone("s1"), false);
      await pushDeliveries.note("s1", "d1", "taken");
      const again = (await reopen()).pushDeliveries;
      assert.equal(await again.isDone("s1"), true);
      assert.equal(await again.keyOf("s1"), "d1");
      assert.equal(await again.isDone("s2"), false);
      assert.equal(await again.keyOf("s2"), undefined);
    });

    check("a key is refused since the first refusal after its last success", async ({ store }, clock) => {
      const { pushDeliveries } = store;
      const note = (id: string, at: number, outcome: "taken" | "refused") => {
        clock.ms = at;
        return pushDeliveries.note(id, "d1", outcome);
      };
      assert.equal(await pushDeliveries.refusedSince("d1"), undefined);
      await note("s1", 1000, "refused");
      await note("s2", 2000, "taken");
      assert.equal(await pushDeliveries.refusedSince("d1"), undefined);
      await note("s3", 3000, "taken");
      await note("s4", 4000, "refused");
      assert.equal(await pushDeliveries.refusedSince("d1"), 4000);
      // The error of an earlier one comes late.
      await note("s3", 5000, "refused");
      assert.equal(await pushDeliveries.refusedSince("d1"), 3000);
      await pushDeliveries.note("s9", "d2", "taken");
      assert.equal(await pushDeliveries.refusedSince("d1"), 3000);
    });

    check("pruning forgets old notifications and no key", async ({ store }, clock) => {
      await store.pushKeys.save(pushKey("d1"));
      await store.pushDeliveries.note("s1", "d1", "taken");
      clock.ms = 2000;
      await store.pushDeliveries.note("s2", "d1", "taken");
      await store.prune(2000, 0);
      assert.deepEqual(
        [await store.pushDeliveries.isDone("s1"), await store.pushDeliveries.isDone("s2")],
        [false, true],
      );
      assert.deepEqual(await store.pushKeys.find("d1"), pushKey("d1"));
    });
  });
}
