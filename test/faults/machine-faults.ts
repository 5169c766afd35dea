/** The machine itself: its disk, its clock, and how much of it the bridge may have. */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { clockVariable } from "./clock-variable.ts";
import type { Fault } from "./fault.ts";
import { onStage, type Scene } from "./scene.ts";
import { during } from "./server-faults.ts";

const perSecond = 60;
const notRoot = (): string | undefined => (process.getuid?.() === 0 ? undefined : "it needs root");

/** A file system of its own, small enough to fill. */
async function onSmallDisk<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "causeway-small-disk-"));
  execFileSync("/usr/bin/mount", ["-t", "tmpfs", "-o", "size=24m", "none", folder]);
  try {
    return await work(folder);
  } finally {
    execFileSync("/usr/bin/umount", ["--lazy", folder]);
    rmSync(folder, { recursive: true });
  }
}

const fill = (file: string): void => {
  for (const size of [1 << 20, 1 << 16, 1 << 12]) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(size), { flag: "a" });
    } catch {
      // Full, to within this size.
    }
  }
};

const diskFull: Fault = {
  name: "disk: full, several times",
  impossible: notRoot,
  run: ({ random, scale }) =>
    onSmallDisk((databaseFolder) =>
      onStage({ random, databaseFolder }, async ({ traffic, start, live, interrupted, judge }) => {
        await start();
        await live();
        traffic.start(perSecond);
        const filler = join(databaseFolder, "filler");
        for (let n = 0; n < 2 * scale; n += 1) {
          await delay(700);
          fill(filler);
          interrupted();
          await delay(random.whole(500, 2500));
          rmSync(filler);
        }
        await delay(500);
        return judge();
      }),
    ),
};

const locked = during("disk: database locked by somebody else for 8 s", async ({ database }) => {
  const other = new DatabaseSync(database);
  other.exec("begin immediate");
  await delay(8000);
  other.exec("rollback");
  other.close();
});

/** What the copy lacks of what had been promised when it was made. */
function lacking({ traffic }: Scene, copy: string): string[] {
  const db = new DatabaseSync(copy);
  const [row] = db.prepare("pragma integrity_check").all();
  const works = db.prepare("select cause, work from jobs").all();
  const seen = new Set(
    db
      .prepare("select event_id from seen_events")
      .all()
      .map(({ event_id }) => event_id),
  );
  db.close();
  const causes = new Set(works.map(({ cause }) => cause));
  const texts = works.map(({ work }) => String(work)).join("\n");
  const there = traffic.columns(0);
  const missing = (way: "toXmpp" | "toMatrix"): string[] =>
    there[way].flatMap(({ sent, told, arrived }) => {
      const have = new Set(arrived.map(({ body }) => body));
      return sent.filter((body) => !told.has(body) && !have.has(body));
    });
  const eventOf = new Map(traffic.all.flatMap(({ eventOf }) => [...eventOf].map(([id, body]) => [body, id])));
  const taken = missing("toMatrix").filter((body) => traffic.isTaken(body));
  return [
    ...(row?.integrity_check === "ok" ? [] : [`a copy is broken: ${JSON.stringify(row)}`]),
    ...taken.filter((body) => !texts.includes(`>${body}<`)).map((body) => `a copy lacks ${body}`),
    ...missing("toXmpp")
      .filter((body) => seen.has(eventOf.get(body) ?? "") && !causes.has(eventOf.get(body) ?? ""))
      .map((body) => `a copy knows the event of ${body} and has no job for it`),
  ];
}

const copied: Fault = {
  name: "disk: database copied at any moment and opened",
  run: ({ random, scale }) =>
    onStage({ random }, async (scene) => {
      await scene.start();
      await scene.live();
      scene.traffic.start(perSecond * 2);
      const broken: string[] = [];
      const copies = 20 * scale;
      for (let n = 0; n < copies; n += 1) {
        await delay(random.whole(20, 200));
        const pid = scene.bridge.pid() ?? 0;
        process.kill(pid, "SIGSTOP");
        const copy = join(scene.folder, `copy-${n}.db`);
        for (const end of ["", "-wal"]) {
          if (existsSync(scene.database + end)) copyFileSync(scene.database + end, copy + end);
        }
        // What it had already written reaches the other side.
        await delay(50);
        broken.push(...lacking(scene, copy));
        process.kill(pid, "SIGCONT");
      }
      const outcome = await scene.judge();
      return { ...outcome, broken: [...broken, ...outcome.broken], note: `${copies} copies` };
    }),
};

const hour = 3_600_000;
const clock: Fault = {
  name: "clock: stepped by hours, both ways",
  run: ({ random }) =>
    onStage({ random }, async ({ traffic, links, start, live, judge }) => {
      const steps = [2, -3, 20, -20, 0].map((hours, n) => `${1500 + n * 1000}:${hours * hour}`).join(",");
      await start({
        nodeArguments: ["--import", fileURLToPath(new URL("clock-steps.ts", import.meta.url))],
        environment: { [clockVariable]: steps },
      });
      await live();
      traffic.start(perSecond);
      for (let n = 0; n < 12; n += 1) {
        await delay(500);
        // Some callbacks wait for their turn while the clock is set.
        if (n % 2 === 0) void traffic.burst(20);
        else links.fromProsody.weather({ latencyMs: n % 4 === 1 ? 30 : 0 });
      }
      links.fromProsody.weather({});
      return judge();
    }),
};

const descriptors: Fault = {
  name: "limits: file descriptors used up",
  run: ({ random, scale }) =>
    onStage({ random }, async ({ traffic, start, live, judge }) => {
      await start({ within: ["prlimit", "--nofile=48:48"] });
      await live();
      traffic.start(perSecond);
      for (let n = 0; n < 4 * scale; n += 1) {
        await delay(500);
        void traffic.burst(100);
      }
      return judge();
    }),
};

const memory: Fault = {
  name: "limits: 48 MB of heap, and a backlog",
  run: ({ random }) =>
    onStage({ random }, async ({ traffic, start, live, kill, judge }) => {
      await start();
      await live();
      traffic.start(perSecond);
      await delay(1000);
      await kill();
      for (let n = 0; n < 2000; n += 1) traffic.toXmpp(random.pick(traffic.all));
      await start({ nodeArguments: ["--max-old-space-size=48"] });
      await delay(3000);
      return judge();
    }),
};

export const machineFaults: Fault[] = [diskFull, locked, copied, clock, descriptors, memory];
