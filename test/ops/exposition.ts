/** A strict reader of Prometheus' text format 0.0.4, for what the bridge exposes. */
import assert from "node:assert/strict";

export interface Family {
  type: string;
  help: string;
  /** By name and labels as they are written. */
  samples: Map<string, number>;
}

const header = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/;
const sample =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\S+)$/;
const suffixes: Record<string, RegExp> = { histogram: /_(?:bucket|sum|count)$/, summary: /_(?:sum|count)$/ };

const readNumber = (text: string): number => {
  if (text === "Nan" || text === "NaN") return Number.NaN;
  if (text === "+Inf") return Number.POSITIVE_INFINITY;
  assert.match(text, /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/);
  return Number(text);
};

/** @throws AssertionError at whatever the format does not know: samples without a type, doubled series, broken buckets. */
export function parseExposition(text: string): Map<string, Family> {
  assert.ok(text.endsWith("\n"), "the last line must end");
  const families = new Map<string, Family>();
  let help: [string, string] | undefined;
  let current: [string, Family] | undefined;
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const [, word, name = "", rest = ""] = header.exec(line) ?? [];
    if (word === "HELP") help = [name, rest];
    else if (word === "TYPE") {
      assert.ok(!families.has(name), `${name} comes twice`);
      assert.equal(help?.[0], name, `${name} has no help`);
      assert.match(rest, /^(?:counter|gauge|histogram|summary)$/);
      current = [name, { type: rest, help: help?.[1] ?? "", samples: new Map() }];
      families.set(...current);
    } else {
      const [, of = "", labels = "", value = ""] = sample.exec(line) ?? [];
      assert.ok(current && of !== "", `no sample: ${line}`);
      const [family, { type, samples }] = current;
      assert.equal(of.replace(suffixes[type] ?? "", ""), family);
      assert.ok(!samples.has(of + labels), `${of}${labels} comes twice`);
      samples.set(of + labels, readNumber(value));
    }
  }
  for (const [name, { type, samples }] of families) if (type === "histogram") checkBuckets(name, samples);
  return families;
}

/** Each series of buckets rises, and its last one holds all. */
function checkBuckets(name: string, samples: ReadonlyMap<string, number>): void {
  let [last, edge] = [0, Number.NEGATIVE_INFINITY];
  for (const [series, value] of samples) {
    const le = /le="([^"]+)"/.exec(series)?.[1];
    if (!series.startsWith(`${name}_bucket`) || le === undefined) continue;
    if (readNumber(le) < edge) last = 0;
    assert.ok(value >= last, `${series} falls`);
    [last, edge] = [value, readNumber(le)];
    if (edge !== Number.POSITIVE_INFINITY) continue;
    const others = series.slice(`${name}_bucket`.length).replace(/,?le="[^"]+",?/, "");
    assert.equal(value, samples.get(`${name}_count${others === "{}" ? "" : others}`), `${series} is not all`);
    [last, edge] = [0, Number.NEGATIVE_INFINITY];
  }
}
