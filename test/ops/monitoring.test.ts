/** What stands about metrics in the guide, the alerts and the dashboard, held against what is exposed. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { createAlone } from "../../src/cluster/alone.ts";
import { createMetrics } from "../../src/ops/metrics.ts";
import { parseExposition } from "./exposition.ts";

const exposition = (): Promise<string> =>
  createMetrics({
    version: "1.2.3",
    parts: ["homeserver"],
    problems: () => ({}),
    readings: () => Promise.reject(new Error("not needed")),
    lanes: () => ({ working: 0, queued: 0, retrying: 0 }),
    iqsOutstanding: () => 0,
    cluster: createAlone({ version: "1.2.3", now: () => 0 }),
  }).text();

const docs = new URL("../../docs/", import.meta.url);
const read = (file: string): string => readFileSync(new URL(file, docs), "utf8");
const namesIn = (text: string): string[] => [
  ...new Set([...text.matchAll(/\b(?:causeway|process|nodejs)_[a-z0-9_]+\b/g)].map(([name]) => name)),
];

/** Names as queries write them: a histogram's go by its parts. */
async function exposedNames(): Promise<Set<string>> {
  const families = parseExposition(await exposition());
  return new Set(
    [...families].flatMap(([name, { type }]) =>
      type === "histogram" ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
}

test("every metric that alerts, dashboard and guide name is one that is exposed", async () => {
  const exposed = await exposedNames();
  for (const file of ["monitoring/alerts.yaml", "monitoring/grafana-dashboard.json", "operators.md"]) {
    const named = namesIn(read(file)).filter((name) => !/^causeway_(?:db|status)$/.test(name));
    assert.ok(named.length > 8, file);
    assert.deepEqual(
      named.filter((name) => !exposed.has(name)),
      [],
      file,
    );
  }
});

test("the guide explains every metric of the bridge's own", async () => {
  const families = parseExposition(await exposition());
  const guide = read("operators.md");
  assert.deepEqual(
    [...families.keys()].filter((name) => name.startsWith("causeway_") && !guide.includes(`\`${name}\``)),
    [],
  );
});

interface Rule {
  alert: string;
  expr: string;
  for?: string;
  labels: { severity: string };
  annotations: { summary: string; description: string };
}

test("each alert says in a sentence what is wrong and what to do, and is in the guide", () => {
  const { groups } = parse(read("monitoring/alerts.yaml")) as { groups: { name: string; rules: Rule[] }[] };
  const rules = groups.flatMap(({ rules }) => rules);
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
  for (const { alert, expr, labels, annotations } of rules) {
    assert.match(alert, /^Causeway[A-Z]\w+$/);
    assert.match(labels.severity, /^(?:critical|warning)$/);
    for (const sentence of [annotations.summary, annotations.description]) assert.match(sentence, /\.$/);
    assert.ok(expr.length > 0);
    assert.ok(read("operators.md").includes(`\`${alert}\``), alert);
  }
});

test("each panel of the dashboard asks for something, and no two have one place", () => {
  const { panels } = JSON.parse(read("monitoring/grafana-dashboard.json"));
  const places = panels.map(({ gridPos: { x, y } }: { gridPos: { x: number; y: number } }) => `${x} ${y}`);
  assert.equal(new Set(places).size, panels.length);
  for (const { title, targets } of panels) {
    assert.ok(title && targets.length > 0);
    for (const { expr } of targets) assert.ok(expr.length > 0, title);
  }
  assert.deepEqual(readdirSync(new URL("monitoring", docs)).sort(), [
    "alerts.yaml",
    "grafana-dashboard.json",
  ]);
});
