import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createLog } from "../../src/ops/log.ts";
import { waitFor } from "../support/wait-for.ts";
import { newProcesses, type Way } from "./processes.ts";

test("however slow and broken the way to the database is, no two lead at the same time, and one does in the end", async (t) => {
  const log = createLog({ level: "error", format: "text", now: Date.now });
  const some = await newProcesses(t, { ...log, error: () => undefined });
  if (!some) return;
  const times = { beat: 10, lease: 120, trust: 90, dead: 120, forget: 5000, wait: 60_000 };
  let isRough = false;
  const ways: Way[] = [0, 1, 2].map(() => ({
    isCut: false,
    pause: () => (isRough && Math.random() < 0.06 ? delay(Math.random() * 150) : Promise.resolve()),
  }));
  const all = ways.map((way) => some.newProcess({ times }, way));
  const ledBy = new Set<string>();
  let worst: string[] = [];
  for (const one of all) await one.start();
  isRough = true;
  const watch = setInterval(() => {
    const leading = all.filter(({ cluster }) => cluster.isLead()).map(({ cluster }) => cluster.self);
    for (const id of leading) ledBy.add(id);
    if (leading.length > worst.length) worst = leading;
    const way = ways[Math.floor(Math.random() * ways.length)];
    if (way && Math.random() < 0.02) way.isCut = !way.isCut;
  }, 1);
  t.after(() => clearInterval(watch));
  await waitFor(() => ledBy.size === 3, "each to have led once", 30_000);
  clearInterval(watch);
  isRough = false;
  for (const way of ways) way.isCut = false;
  await waitFor(() => all.some(({ cluster }) => cluster.isLead()), "one to lead");
  assert.deepEqual([worst.length, all.filter(({ cluster }) => cluster.isLead()).length], [1, 1]);
  for (const { turns } of all) {
    assert.deepEqual(
      turns.filter((turn, at) => turn !== (at % 2 === 0 ? "leads" : "lost")),
      [],
    );
  }
});
