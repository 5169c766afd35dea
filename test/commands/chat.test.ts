import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { afterPrefix, parseLine, usageOf, withoutQuotation } from "../../src/commands/chat.ts";
import { all, list, ring, ringOff, ringToken, woo } from "./sample.ts";

const parse = (text: string) => parseLine(all, text);

test("the longest name that fits a line is the command that is meant", () => {
  const [romeo, off] = ["romeo@xmpp.example", { address: undefined, token: undefined }];
  assert.deepEqual(parse(`ring ${romeo}`), { kind: "command", command: ring, args: { address: romeo } });
  assert.deepEqual(parse("ring off"), { kind: "command", command: ringOff, args: off });
  assert.deepEqual(parse(`ring off ${romeo}`), {
    kind: "command",
    command: ringOff,
    args: { ...off, address: romeo },
  });
  assert.deepEqual(parse("ring token syt_1"), {
    kind: "command",
    command: ringToken,
    args: { token: "syt_1" },
  });
});

test("a word that cannot be one argument is the next one", () => {
  const fits = (word: string): boolean => word.includes("@");
  const picky = {
    ...ringOff,
    fields: ringOff.fields.map((field, index) => (index ? field : { ...field, fits })),
  };
  const argsOf = (text: string) => {
    const line = parseLine([picky], text);
    return line.kind === "command" && line.args;
  };
  assert.deepEqual(argsOf("ring off syt_1"), { address: undefined, token: "syt_1" });
  assert.deepEqual(argsOf("ring off a@b syt_1"), { address: "a@b", token: "syt_1" });
  assert.deepEqual(argsOf("ring off a@b"), { address: "a@b", token: undefined });
  assert.deepEqual(argsOf("ring off"), { address: undefined, token: undefined });
});

test("case and spaces do not matter in a name, and case is kept in what follows it", () => {
  assert.deepEqual(parse("  RING \n Token\tsyt_AbC "), {
    kind: "command",
    command: ringToken,
    args: { token: "syt_AbC" },
  });
});

test("the last field takes the rest of the line, and a command without fields passes over it", () => {
  assert.deepEqual(parse("woo juliet thou art  the sun"), {
    kind: "command",
    command: woo,
    args: { address: "juliet", words: "thou art the sun" },
  });
  assert.deepEqual(parse("list them all"), { kind: "command", command: list, args: {} });
});

test("a line without a required field, or without a command, is known for what it is", () => {
  assert.deepEqual(parse("woo"), { kind: "incomplete", command: woo });
  for (const line of ["", " ", "wooing", "listing", "off ring", "__proto__", "constructor"]) {
    assert.deepEqual(parse(line), { kind: "unknown" }, line);
  }
});

test("usage names required fields in capitals and others in brackets", () => {
  assert.deepEqual([ringToken, ringOff, woo, list].map(usageOf), [
    "ring token TOKEN",
    "ring off [ADDRESS] [TOKEN]",
    "woo ADDRESS [WORDS]",
    "list",
  ]);
});

test("what is given for each field comes back from the line that says it", () => {
  const word = fc.stringMatching(/^[!-~]{1,20}$/);
  fc.assert(
    fc.property(word, fc.array(word, { maxLength: 5 }), (address, words) => {
      const rest = words.join(" ");
      assert.deepEqual(parse(`woo ${address} ${rest}`), {
        kind: "command",
        command: woo,
        args: { address, words: rest === "" ? undefined : rest },
      });
    }),
  );
});

test("no text breaks the parser", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      parse(text);
      withoutQuotation(text);
      afterPrefix(text);
    }),
  );
});

test("the prefix is one word, in any case, and the command follows it", () => {
  assert.equal(afterPrefix(" !XMPP  help me"), "help me");
  assert.equal(afterPrefix("!xmpp"), "help");
  for (const text of ["help", "!xmpphelp", "say !xmpp help", ""]) assert.equal(afterPrefix(text), undefined);
});

test("a quotation ahead of an answer is not what its writer says", () => {
  assert.equal(withoutQuotation("> <@nurse:hs.example> ring token syt_1\n> and more\n\nhelp"), "help");
  assert.equal(withoutQuotation("> ring token syt_1"), "");
  assert.equal(withoutQuotation("help > list"), "help > list");
});
