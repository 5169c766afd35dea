import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { envNameOf, pathOfEnvName } from "../../src/config/environment.ts";

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,5}([A-Z][a-z0-9]{0,5}){0,3}$/);
const path = fc.array(word, { minLength: 1, maxLength: 4 });

test("levels are joined by two underscores and words by one", () => {
  assert.equal(envNameOf(["appservice", "asToken"]), "CAUSEWAY_APPSERVICE__AS_TOKEN");
  assert.equal(envNameOf(["publicUrl"]), "CAUSEWAY_PUBLIC_URL");
});

test("every path of camelCase keys has a variable of its own, which leads back to it", () => {
  fc.assert(
    fc.property(path, (keys) => {
      const name = envNameOf(keys);
      assert.match(name, /^CAUSEWAY_[A-Z0-9_]+$/);
      assert.deepEqual(pathOfEnvName(name), keys);
    }),
  );
});
