import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { pageOf, readPageRequest, resultSet } from "../../src/mapping/result-sets.ts";
import { parseElement } from "../../src/xmpp/stanza.ts";

const asked = (inner: string) =>
  readPageRequest(parseElement(`<query><set xmlns='http://jabber.org/protocol/rsm'>${inner}</set></query>`));
const rooms = ["a", "b", "c", "d", "e"];
const page = (inner: string, most = 100) => pageOf(rooms, asked(inner), { idOf: (room) => room, most });

test("without a word about pages there is no request for one", () => {
  assert.equal(readPageRequest(parseElement("<query/>")), undefined);
});

test("pages are found from the start, from the end, before and after an item, and by index", () => {
  assert.deepEqual(page("<max>2</max>"), { items: ["a", "b"], index: 0, count: 5 });
  assert.deepEqual(page("<max>2</max><after>b</after>"), { items: ["c", "d"], index: 2, count: 5 });
  assert.deepEqual(page("<max>2</max><before/>"), { items: ["d", "e"], index: 3, count: 5 });
  assert.deepEqual(page("<max>2</max><before>d</before>"), { items: ["b", "c"], index: 1, count: 5 });
  assert.deepEqual(page("<max>2</max><before>b</before>"), { items: ["a"], index: 0, count: 5 });
  assert.deepEqual(page("<max>2</max><index>3</index>"), { items: ["d", "e"], index: 3, count: 5 });
  assert.deepEqual(page("<max>0</max>"), { items: [], index: 0, count: 5 });
  assert.deepEqual(page("<max>2000</max>", 3), { items: ["a", "b", "c"], index: 0, count: 5 });
});

test("an item that is not in the list is no place to begin", () => {
  assert.equal(page("<after>z</after>"), undefined);
  assert.equal(page("<before>z</before>"), undefined);
});

test("page after page, everything comes once and in order", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ minLength: 1 })), fc.integer({ min: 1, max: 5 }), (all, max) => {
      const seen: string[] = [];
      for (let turn = 0; turn <= all.length; turn += 1) {
        const request = { max, after: seen.at(-1), before: undefined, index: undefined };
        seen.push(...(pageOf(all, request, { idOf: (item) => item, most: 100 })?.items ?? []));
      }
      assert.deepEqual(seen, all);
    }),
  );
});

test("the answer tells the ends of the page and how much there is", () => {
  assert.equal(
    resultSet({ first: "a", last: "b", index: 0, count: 5 }).toString(),
    '<set xmlns="http://jabber.org/protocol/rsm"><first index="0">a</first><last>b</last><count>5</count></set>',
  );
  assert.equal(
    resultSet({ count: 0 }).toString(),
    '<set xmlns="http://jabber.org/protocol/rsm"><count>0</count></set>',
  );
});
