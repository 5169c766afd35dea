// A reporter for the test runner that leaves its counts, so that those of several runs can be added up.

// biome-ignore lint/style/noDefaultExport: the runner takes a reporter as nothing else.
export default async function* totals(events) {
  for await (const { type, data } of events) {
    if (type === "test:summary" && data.file === undefined)
      yield JSON.stringify({ ...data.counts, duration_ms: data.duration_ms });
  }
}
