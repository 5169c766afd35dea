/** The same floods on SQLite and on PostgreSQL, there in one, two and three processes, beside what mod_rest alone manages. */
import { postgresMissing } from "../../test/support/postgres.ts";
import { databaseUrl, query, startPostgres } from "../../test/support/postgres-server.ts";
import { flood, floodUntilSeen } from "../drive.ts";
import type { Meter } from "../meter.ts";
import { clients } from "../people.ts";
import type { Line } from "../report.ts";
import { median, type Tally } from "../tally.ts";

const rounds = 2;

const rate = (perSecond: number): string => `${perSecond.toFixed(0)}/s`;

/** One way on one set-up, beside the raw runs next to it. */
interface Way {
  what: string;
  bridged(): Promise<Tally>;
  raw(): Promise<Tally>;
}

function waysOf(meter: Meter): Way[] {
  const { stage, toXmpp, toMatrix } = meter;
  const messages = Math.round(meter.messages / 2);
  const options = { total: messages, conversations: clients };
  const rest = () => meter.run("raw rest", options, (tally) => flood(tally, 1, stage.postRest));
  const callback = () =>
    meter.run("raw callback", { ...options, ordered: false }, (tally) =>
      floodUntilSeen(tally, 5, stage.toRawCallback),
    );
  return [
    { what: "Matrix to XMPP, transactions of 100", bridged: () => toXmpp(messages, 100), raw: rest },
    { what: "XMPP to Matrix", bridged: () => toMatrix(messages), raw: callback },
  ];
}

async function linesOf(meter: Meter, name: string): Promise<Line[]> {
  await meter.warmUp();
  const lines: Line[] = [];
  for (const { what, bridged, raw } of waysOf(meter)) {
    const [rates, ratios, cpus]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round < rounds; round += 1) {
      const { tally, cpuMs } = await meter.withCpu(bridged);
      const beside = await raw();
      rates.push(tally.perSecond());
      ratios.push(tally.perSecond() / beside.perSecond());
      cpus.push(cpuMs);
    }
    lines.push({
      what: `${name}: ${what}`,
      measured: `${median(ratios).toFixed(2)} of raw`,
      beside: `${rate(median(rates))}, CPU of the bridge ${median(cpus).toFixed(2)} ms a message`,
    });
  }
  return lines;
}

export async function processes(meter: Meter): Promise<Line[]> {
  const { runs } = meter.stage;
  const missing = postgresMissing();
  if (missing !== undefined) return [{ what: "PostgreSQL", measured: missing }];
  await runs.start();
  const lines = await linesOf(meter, "SQLite");
  const postgres = await startPostgres({ isDurable: true });
  try {
    for (const count of [1, 2, 3]) {
      await query(postgres.url, `create database with_${count}`);
      await runs.start(databaseUrl(postgres.url, `with_${count}`), count);
      lines.push(...(await linesOf(meter, `PostgreSQL, ${count} process${count > 1 ? "es" : ""}`)));
    }
    return lines;
  } finally {
    await runs.stop();
    await postgres.close();
  }
}
