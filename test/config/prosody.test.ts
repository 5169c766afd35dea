import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { callbackUrlOf, luaString, prosodyConfigOf } from "../../src/config/prosody.ts";
import { sampleConfig } from "./sample.ts";

/** What Prosody would run: no comments, no indentation. */
const code = (lua: string): string[] =>
  lua
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("--"));

const common = [
  'Component "bridge.xmpp.test" "rest"',
  'rest_callback_url = "http://prosody:callback0123456789@127.0.0.1:9555/xmpp/callback?from={from}"',
  'http_host = "127.0.0.1"',
];

test("the component carries its secret and the callback's address with user and password", () => {
  assert.deepEqual(
    code(prosodyConfigOf(sampleConfig())),
    common.toSpliced(1, 0, 'component_secret = "component secret"'),
  );
});

test("without credentials, and with a bearer token, a comment says which mod_rest would take that", () => {
  const none = prosodyConfigOf(sampleConfig({ restAuth: undefined }));
  assert.deepEqual(code(none), common);
  assert.match(none, /restAuth is left out.*December 2019/s);
  const bearer = prosodyConfigOf(sampleConfig({ restAuth: { bearer: "bearer-token-0123" } }));
  assert.deepEqual(code(bearer), common.toSpliced(1, 0, 'rest_credentials = "Bearer bearer-token-0123"'));
  assert.match(bearer, /until February 2020/);
});

test("a user name that is not the component's is pointed out", () => {
  const lua = prosodyConfigOf(sampleConfig({ restAuth: { username: "romeo", password: "p" } }));
  assert.match(lua, /xmpp\.restAuth\.username of the bridge must be that/);
});

test("Prosody is given an address that can be called, not one to listen on", () => {
  const { xmpp } = sampleConfig();
  const at = (host: string) => callbackUrlOf({ xmpp, listen: { host, port: 1 } });
  const url = (host: string) => `http://prosody:callback0123456789@${host}:1/xmpp/callback?from={from}`;
  for (const host of ["0.0.0.0", "::", "localhost"]) assert.equal(at(host), url("127.0.0.1"));
  assert.equal(at("::1"), url("[::1]"));
  assert.equal(at("192.0.2.7"), url("192.0.2.7"));
  assert.equal(
    callbackUrlOf({ xmpp: { ...xmpp, callbackUrl: "https://b.example/x" }, listen: { host: "::", port: 1 } }),
    "https://prosody:callback0123456789@b.example/x/xmpp/callback?from={from}",
  );
});

test("a Lua string reads back as the text it was made from and never leaves its line", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const literal = luaString(text);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be left
      assert.doesNotMatch(literal, /[\u0000-\u001f\u007f]/);
      assert.equal(readLuaString(literal), text);
    }),
  );
  assert.equal(luaString('a"\\\n1'), '"a\\"\\\\\\0101"');
});

function readLuaString(literal: string): string {
  const inner = /^"((?:[^"\\]|\\(?:\d{3}|["\\]))*)"$/s.exec(literal)?.[1];
  assert.ok(inner !== undefined, literal);
  return inner.replace(/\\(?:(\d{3})|(.))/g, (_, code, char) => char ?? String.fromCharCode(Number(code)));
}
