import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { compileCacheIn } from "../../src/ops/compile-cache.ts";

test("what is compiled is kept only where nobody else could put something in its place", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "causeway-compiled-"));
  t.after(() => rmSync(folder, { recursive: true }));
  assert.equal(compileCacheIn(folder), join(folder, "compile-cache"));
  for (const mode of [0o1777, 0o770, 0o702]) {
    chmodSync(folder, mode);
    assert.equal(compileCacheIn(folder), undefined, mode.toString(8));
  }
  assert.equal(compileCacheIn(join(folder, "missing")), undefined);
});
