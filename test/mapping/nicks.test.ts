import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isNick, isVisible, lookOf, nickFor, nicksFor } from "../../src/mapping/nicks.ts";
import type { UserId } from "../../src/matrix/ids.ts";

const juliet = "@juliet:hs.test" as UserId;
const free = () => false;
const nickOf = (displayName: string | undefined, userId = juliet) =>
  nickFor({ displayName, userId, taken: free });
/** The first few for a name. */
const several = (displayName: string, count: number): string[] => {
  const nicks = nicksFor({ displayName, userId: juliet });
  return Array.from({ length: count }, () => nicks.next().value);
};

for (const [name, nick, why] of [
  ["Juliet", "Juliet", "stays"],
  [
    "  Juliet \t of\u00a0\u2003the balcony ",
    "Juliet of the balcony",
    "has single spaces, and none around it",
  ],
  ["Juliet \u{1F339}", "Juliet", "loses emoji, which Prosody refuses"],
  ["\u{1F339}\u{1F339}", "juliet", "is the localpart where nothing is left"],
  ["", "juliet", "is the localpart where there is no name"],
  [undefined, "juliet", "is the localpart where nothing is known"],
  ["\u200b\u3164\u2800\u0301", "juliet", "loses what cannot be seen"],
  ["Ｊｕｌｉｅｔ \u{1d4aa}", "Juliet O", "is written in plain letters"],
  ["evil\u202etelijuj", "eviltelijuj", "turns no text around"],
  ["two\nlines", "twolines", "is one line"],
  ["Ju\ufe0fli\u00adet", "Juliet", "holds nothing that servers take out"],
  ["יולייט", "יולייט", "may run to the left"],
  ["יולייט (Juliet) 2", "יולייט", "runs one way: to the left"],
  ["Juliet יולייט", "Juliet", "runs one way: to the right"],
  ["e\u0301", "é", "is composed"],
  ["a/b@c&<d>", "a/b@c&<d>", "may hold what a localpart may not"],
  ["\ud800x", "x", "is well-formed"],
] as const) {
  test(`a nick ${why}: ${JSON.stringify(name)}`, () => {
    assert.equal(nickOf(name), nick);
  });
}

test("a localpart that cannot be a nick either still gives one", () => {
  assert.equal(nickOf("\u{1F339}", "@\u{1F339}:hs.test" as UserId), "someone");
});

test("a name that is taken gets the localpart behind it, and then a number", () => {
  assert.deepEqual(several("Juliet C.", 4), [
    "Juliet C.",
    "Juliet C. (juliet)",
    "Juliet C. 3",
    "Juliet C. 4",
  ]);
  assert.deepEqual(several("juliet", 3), ["juliet", "juliet 2", "juliet 3"]);
  assert.deepEqual(several("יולייט", 3), ["יולייט", "juliet 2", "juliet 3"]);
});

test("a long name is cut between characters that people see", () => {
  const family = "e\u0323\u0302\u0301";
  const nick = nickOf(family.repeat(100));
  assert.equal(nick, family.normalize("NFKC").repeat(nick.length / family.normalize("NFKC").length));
  assert.ok(nick.length <= 80);
});

test("nicks that look alike count as the same", () => {
  for (const twin of ["JULIET", "Ju liet", "Ju\u200dliet", "Julіеt", "Ｊuliet", "Ju1iet"]) {
    assert.equal(lookOf(twin), lookOf("Juliet"), twin);
  }
  assert.notEqual(lookOf("Juliet"), lookOf("Julian"));
});

const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom("a", "\u0301", "א", "1", " ", "\u06dd", "\u0660", "\u200f", "\u{1F339}", "ﬁ"),
  }),
);

test("a nick of which there is nothing to see is told from others", () => {
  for (const nothing of ["", " ", "\u00a0", "\u2800", "\u3164\u200b", "\u0301"]) {
    assert.equal(isVisible(nothing), false, JSON.stringify(nothing));
  }
  for (const nick of ["R", "7", "?", "\u{1F339}", "\u05d0"]) assert.equal(isVisible(nick), true, nick);
});

test("every name gives a nick that stays as it is", () => {
  fc.assert(
    fc.property(text, (displayName) => {
      for (const nick of several(displayName, 4)) {
        assert.ok(isNick(nick), nick);
        assert.equal(nick.normalize("NFKC"), nick);
        assert.ok(Buffer.byteLength(nick) <= 1023);
      }
    }),
  );
});

test("everybody in a room gets a nick that looks like nobody else's, and the same one again", () => {
  const people = fc.uniqueArray(fc.tuple(text, fc.stringMatching(/^[a-z]{1,3}$/)), {
    selector: ([, localpart]) => localpart,
  });
  fc.assert(
    fc.property(people, (all) => {
      const name = (): string[] => {
        const looks = new Set<string>();
        return all.map(([displayName, localpart]) => {
          const userId = `@${localpart}:hs.test` as UserId;
          const nick = nickFor({ displayName, userId, taken: (one) => looks.has(lookOf(one)) });
          looks.add(lookOf(nick));
          return nick;
        });
      };
      const nicks = name();
      assert.equal(new Set(nicks.map(lookOf)).size, all.length);
      assert.deepEqual(name(), nicks);
    }),
  );
});
