import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseLine } from "../../src/commands/chat.ts";
import { createSecretFilter, hasLostSecret, hasSecret } from "../../src/commands/secrets.ts";
import { all, list, ringOff, ringToken } from "./sample.ts";

const filter = createSecretFilter(all);

test("what follows the name of a command with a secret is taken out, wherever it stands", () => {
  const cases = {
    "ring token syt_1": "ring token [secret]",
    "!xmpp RING  token\nsyt_1 and more": "!xmpp RING  token [secret]",
    "* ring token syt_1": "* ring token [secret]",
    "> <@nurse:hs.example> ring token syt_1\n\nhelp": "> <@nurse:hs.example> ring token [secret]",
    "ring off romeo@xmpp.example syt_1": "ring off [secret]",
  };
  for (const [text, stored] of Object.entries(cases)) assert.equal(filter(text), stored);
});

test("an access token is taken out although its command is mistyped or missing", () => {
  const token = "syt_anVsaWV0_dGVzdHRlc3R0ZXN0_1a2b3c";
  assert.equal(filter(`rong tokem ${token}`), "rong tokem [secret]");
  assert.equal(filter(`${token} mct_AbCdEfGh0123456789_xyz`), "[secret] [secret]");
});

test("a text without such a command stays as it is", () => {
  for (const text of ["", "help", "ring token", "ring romeo@xmpp.example", "spring tokens syt_1"]) {
    assert.equal(filter(text), text);
  }
  assert.equal(createSecretFilter([list])("ring token syt_1"), "ring token syt_1");
});

test("no secret that the parser would find is left in what is stored", () => {
  const space = fc.stringMatching(/^[ \n\t]{1,3}$/);
  const secret = fc.stringMatching(/^[0-9]{12,30}$/);
  const name = fc.constantFrom(["ring", "token"], ["Ring", "OFF"]);
  fc.assert(
    fc.property(
      fc.constantFrom("", "!xmpp ", "> a\n"),
      name,
      space,
      space,
      secret,
      (before, words, a, b, token) => {
        assert.equal(filter(`${before}${words.join(a)}${b}${token}`).includes(token), false);
      },
    ),
  );
});

test("only what stands in a secret field is a secret", () => {
  assert.equal(hasSecret(ringOff, { address: "romeo@xmpp.example", token: undefined }), false);
  assert.equal(hasSecret(ringToken, { token: "syt_1" }), true);
});

test("a stored line shows that its secret is lost", () => {
  const line = parseLine(all, filter("ring token syt_1"));
  assert.equal(line.kind === "command" && hasLostSecret(line.args), true);
  assert.equal(hasLostSecret({ token: "syt_1", address: undefined }), false);
});
