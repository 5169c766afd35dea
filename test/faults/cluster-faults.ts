/** Three processes of one bridge on one PostgreSQL, killed and started at random while people write to each other. */
import { setTimeout as delay } from "node:timers/promises";
import { postgresMissing } from "../support/postgres.ts";
import { type PostgresServer, query, startPostgres } from "../support/postgres-server.ts";
import { waitFor } from "../support/wait-for.ts";
import { meetInRooms } from "./cluster-rooms.ts";
import { type ClusterScene, type Member, onClusterStage } from "./cluster-scene.ts";
import type { Fault } from "./fault.ts";
import { type Column, isComplete, judge, sumOf } from "./ledger.ts";
import type { Random } from "./random.ts";
import type { Outcome } from "./scene.ts";
import { createTraffic } from "./traffic.ts";

const conversations = 50;
/** Fewer where the machine has other things to do. */
const perSecond = Number(process.env.FAULTS_PER_SECOND ?? 200);
/** In each of the two rooms, each way. */
const inRoomsEveryMs = 1000;
const lastsMs = 120_000;
const arrivesWithinMs = 90_000;

interface Losses {
  killed: number;
  stopped: number;
  /** How many of both led. */
  ofLead: number;
  broken: string[];
}

/** Ends one of the processes and starts it again a little later; others go on meanwhile. */
async function lose(member: Member, random: Random, losses: Losses): Promise<void> {
  member.isUp = false;
  if (random.chance(0.6)) {
    losses.killed += 1;
    await member.bridge.kill();
  } else {
    losses.stopped += 1;
    await member.bridge.stop();
    // Before it has begun anything the signal itself ends it.
    const code = await member.bridge.ended();
    if (code !== 0 && code !== "SIGTERM")
      losses.broken.push(`${member.name} ended with ${code} when it was told to stop`);
  }
  await delay(random.whole(0, 4000));
  await member.start();
}

/** Every few seconds somebody has to go, every second time the one that leads. At least one process stays. */
async function loseSome({ members }: ClusterScene, random: Random, until: number): Promise<Losses> {
  const losses: Losses = { killed: 0, stopped: 0, ofLead: 0, broken: [] };
  const underWay = new Set<Promise<void>>();
  for (let turn = 0; performance.now() < until; turn += 1) {
    await delay(random.whole(3000, 12_000));
    const up = members.filter(({ isUp }) => isUp);
    const leads = await Promise.all(up.map((member) => member.leads()));
    const next = turn % 2 === 0 ? up[leads.indexOf(true)] : random.pick(up);
    if (!next || up.length < 2) continue;
    if (leads[up.indexOf(next)]) losses.ofLead += 1;
    const going = lose(next, random, losses).finally(() => underWay.delete(going));
    underWay.add(going);
  }
  await Promise.all(underWay);
  return losses;
}

/** Once, at some moment in the midst of it all. */
async function restart(postgres: PostgresServer, random: Random, lasts: number): Promise<string> {
  await delay(random.whole(lasts / 4, lasts / 2));
  const mode = random.pick(["fast", "immediate"] as const);
  await postgres.stop(mode);
  await delay(random.whole(0, 3000));
  await postgres.start();
  return mode;
}

async function jobsIn(url: string): Promise<{ waiting: number; parked: number }> {
  const counts = "count(*) filter (where parked_at is null) as waiting, count(parked_at) as parked";
  const [row] = await query(url, `select ${counts} from jobs`);
  return { waiting: Number(row?.waiting), parked: Number(row?.parked) };
}

async function stopAll({ members }: ClusterScene): Promise<string[]> {
  for (const member of members) member.isUp = false;
  const codes = await Promise.all(members.map(({ bridge }) => bridge.stop()));
  return codes.flatMap((code, n) => (code === 0 ? [] : [`${members[n]?.name} ended with ${code}`]));
}

async function runIn(scene: ClusterScene, postgres: PostgresServer, random: Random, lasts: number) {
  const { members, homeserver, prosody, balancers, led, up } = scene;
  await Promise.all(members.map((member) => member.start()));
  await up();
  const rooms = await meetInRooms(scene);
  const traffic = createTraffic({ homeserver, prosody, random, conversations, newcomers: 0.001 });
  traffic.start(perSecond);
  const talking = setInterval(() => rooms.sayAll(), inRoomsEveryMs);
  const [mode, losses] = await Promise.all([
    restart(postgres, random, lasts),
    loseSome(scene, random, performance.now() + lasts),
  ]);
  clearInterval(talking);
  await traffic.stop();

  const interruptions = losses.killed + losses.stopped + 1;
  const columns = (way: "toXmpp" | "toMatrix"): Column[] => [
    ...traffic.columns(interruptions)[way],
    ...rooms.columns(interruptions)[way],
  ];
  const isOver = async (): Promise<boolean> => {
    await delay(500);
    const complete = [...columns("toXmpp"), ...columns("toMatrix")].every(isComplete);
    return complete && (await jobsIn(postgres.url)).waiting === 0;
  };
  await waitFor(isOver, "all to arrive", arrivesWithinMs).catch(() => undefined);
  // What is not to come twice gets a moment to do so.
  await delay(1000);
  const lead = await led().catch(() => undefined);
  const broken = [
    ...losses.broken,
    ...(losses.ofLead === 0 ? ["no process was lost that led"] : []),
    ...(lead ? [] : ["in the end it is not one process that leads"]),
    ...traffic.strayRooms(),
    ...(await stopAll(scene)),
  ];
  const { waiting, parked } = await jobsIn(postgres.url);
  if (waiting > 0) broken.push(`${waiting} jobs were left`);
  if (parked > 0) broken.push(`${parked} messages were parked`);
  const [toXmpp, toMatrix] = [sumOf(columns("toXmpp").map(judge)), sumOf(columns("toMatrix").map(judge))];
  const { killed, stopped, ofLead } = losses;
  const missed = balancers.ofHomeserver.refused();
  return {
    toXmpp,
    toMatrix,
    broken: [...broken, ...toXmpp.broken, ...toMatrix.broken],
    note: `${killed} SIGKILL, ${stopped} SIGTERM, ${ofLead} of these while leading, PostgreSQL ${mode}, ${missed} refused`,
  } satisfies Outcome;
}

export const clusterFaults: Fault[] = [
  {
    name: "cluster: three processes, PostgreSQL restarted",
    alone: true,
    impossible: postgresMissing,
    async run({ random, scale }) {
      const postgres = await startPostgres();
      try {
        const { url: database } = postgres;
        return await onClusterStage({ database }, (scene) => runIn(scene, postgres, random, lastsMs * scale));
      } finally {
        await postgres.close();
      }
    },
  },
];
