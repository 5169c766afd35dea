import assert from "node:assert/strict";
import { test } from "node:test";
import { faultsOf, shownOnXmpp } from "../../demo/verdict.ts";

const line = (text: string, manner: "text" | "emote" | "notice" = "text") => ({ manner, text });

test("what came once and in order is no fault", () => {
  assert.deepEqual(faultsOf("Romeo", [line("a"), line("b", "emote")], [line("a"), line("b", "emote")]), []);
});

test("a missing, a repeated and a strange message are each named", () => {
  const faults = faultsOf("Romeo", [line("a"), line("b")], [line("b"), line("b"), line("c")]);
  assert.deepEqual(faults, [
    'Romeo saw "a" not at all',
    'Romeo saw "b" 2 times',
    'Romeo saw "c", which nobody said',
  ]);
});

test("a message that arrives in another manner did not arrive", () => {
  assert.deepEqual(faultsOf("Juliet", [line("bows", "emote")], [line("bows")]), [
    'Juliet saw "bows" not at all',
    'Juliet saw "bows", which nobody said',
  ]);
});

test("messages that overtake each other are told as such", () => {
  assert.deepEqual(faultsOf("Juliet", [line("a"), line("b")], [line("b"), line("a")]), [
    "Juliet saw the messages in another order",
  ]);
});

test("a notice is shown on XMPP as text, and all else as what it is", () => {
  assert.deepEqual([line("a", "notice"), line("b", "emote"), line("c")].map(shownOnXmpp), [
    line("a"),
    line("b", "emote"),
    line("c"),
  ]);
});
