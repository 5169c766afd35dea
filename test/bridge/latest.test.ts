import assert from "node:assert/strict";
import { test } from "node:test";
import { createLatest } from "../../src/bridge/latest.ts";
import { waitFor } from "../support/wait-for.ts";

function setUp(failing: (value: number) => boolean = () => false) {
  const shown: string[] = [];
  const errors: string[] = [];
  const held: (() => void)[] = [];
  const latest = createLatest<string, number>({
    async show(key, value) {
      shown.push(`${key}${value}`);
      await new Promise<void>((resolve) => held.push(resolve));
      if (failing(value)) throw new Error(`no ${value}`);
    },
    onError: (key, error) => errors.push(`${key}: ${(error as Error).message}`),
  });
  const release = () => held.shift()?.();
  return { latest, shown, errors, release, held };
}

test("while one step is under way only the newest of what follows is kept, for each key by itself", async () => {
  const { latest, shown, release } = setUp();
  for (const value of [1, 2, 3]) latest.set("a", value);
  latest.set("b", 7);
  assert.deepEqual(shown, ["a1", "b7"]);
  release();
  await waitFor(() => shown.length === 3, "the newest");
  assert.deepEqual(shown, ["a1", "b7", "a3"]);
});

test("a step that fails is told of, and the next change is shown all the same", async () => {
  const { latest, shown, errors, release, held } = setUp((value) => value === 1);
  latest.set("a", 1);
  release();
  await waitFor(() => errors.length === 1, "the failure");
  assert.deepEqual(errors, ["a: no 1"]);
  latest.set("a", 2);
  await waitFor(() => held.length === 1, "the next");
  assert.deepEqual(shown, ["a1", "a2"]);
});
