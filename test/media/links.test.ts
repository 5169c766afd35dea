import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { fileNameOf } from "../../src/mapping/file-names.ts";
import { createMediaLinks, mediaKeyOf } from "../../src/media/links.ts";

const publicUrl = "https://bridge.example/base";
const hour = 60 * 60 * 1000;
const start = 1_800_000_000_000;
const key = mediaKeyOf(["as", "hs", "callback"]);
const linksAt = (now: number, keys = key) =>
  createMediaLinks({ publicUrl, key: keys, lastMs: 10 * hour, now: () => now });

const file = { mxc: "mxc://hs.test/GCmhgzMPRjqgpODLsNQzVuHZ", name: "summit.jpg" };
function partsOf(link: string): [token: string, name: string] {
  const [token = "", name = "", ...more] = link.slice(`${publicUrl}/media/`.length).split("/");
  assert.deepEqual(more, []);
  return [token, decodeURIComponent(name)];
}

const files = fc.record({
  mxc: fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/).map((id) => `mxc://hs.test:8448/${id}`),
  name: fc.string({ unit: "grapheme", minLength: 1 }).map((text) => fileNameOf(text) ?? "file"),
});

suite("links to media", () => {
  test("lead to what they were made for, whatever the name", () => {
    fc.assert(
      fc.property(files, ({ mxc, name }) => {
        const link = linksAt(start).linkOf({ mxc, name });
        assert.match(link, /^[\w:/.~%-]+$/);
        assert.equal(new URL(link).href, link);
        assert.deepEqual(linksAt(start).read(...partsOf(link)), {
          kind: "good",
          mxc,
          expiresAt: start + 10 * hour,
        });
      }),
    );
  });

  test("with any character changed, added or taken away lead nowhere", () => {
    const changes = fc.record({
      at: fc.nat(),
      to: fc.constantFrom("", "A", "b", "0", "-", "_", ".", "=", "AA"),
    });
    fc.assert(
      fc.property(files, changes, (one, { at, to }) => {
        const links = linksAt(start);
        const [token, name] = partsOf(links.linkOf(one));
        const changed = (text: string): string => {
          const place = at % text.length;
          return text.slice(0, place) + to + text.slice(place + 1);
        };
        if (changed(token) !== token) assert.deepEqual(links.read(changed(token), name), { kind: "wrong" });
        if (changed(name) !== name) assert.deepEqual(links.read(token, changed(name)), { kind: "wrong" });
      }),
      { numRuns: 500 },
    );
  });

  test("of each possible last character only the right one counts", () => {
    const links = linksAt(start);
    const [token, name] = partsOf(links.linkOf(file));
    const alphabet = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"];
    const good = alphabet.filter((last) => links.read(token.slice(0, -1) + last, name).kind !== "wrong");
    assert.deepEqual(good, [token.at(-1)]);
  });

  test("expire, and say so only to who has a true one", () => {
    const [token, name] = partsOf(linksAt(start).linkOf(file));
    assert.equal(linksAt(start + 10 * hour - 1).read(token, name).kind, "good");
    assert.deepEqual(linksAt(start + 10 * hour).read(token, name), { kind: "expired" });
    assert.deepEqual(linksAt(start + 10 * hour).read(token, "other.jpg"), { kind: "wrong" });
  });

  test("made again within the hour are the same", () => {
    const first = linksAt(start + 1).linkOf(file);
    assert.equal(linksAt(start + hour).linkOf(file), first);
    assert.notEqual(linksAt(start + hour + 1).linkOf(file), first);
  });

  test("of another key, or of half the secrets, are no links", () => {
    const [token, name] = partsOf(linksAt(start).linkOf(file));
    for (const secrets of [["as"], ["hs", "as", "callback"], ["as", "hs", "other"]])
      assert.deepEqual(linksAt(start, mediaKeyOf(secrets)).read(token, name), { kind: "wrong" });
  });

  test("nonsense is wrong, and breaks nothing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (token, name) =>
        assert.deepEqual(linksAt(start).read(token, name), { kind: "wrong" }),
      ),
    );
  });
});
