import assert from "node:assert/strict";
import { test } from "node:test";
import express from "express";
import { listen } from "../../src/http/server.ts";
import { createAdminApp, createHealth } from "../../src/ops/health.ts";

test("readiness names what is wrong, liveness does not care, anything else is not found", async (t) => {
  const health = createHealth();
  const metrics = express.Router().get("/metrics", (_request, response) => void response.send("up 1"));
  const { port, stop } = await listen(createAdminApp(health, metrics), { host: "127.0.0.1", port: 0 });
  t.after(stop);
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return [response.status, await response.text()];
  };

  assert.deepEqual(await get("/health/ready"), [200, '{"status":"ready"}']);
  health.set("homeserver", "refuses our token");
  health.set("prosody", "not reached");
  assert.deepEqual(await get("/health/ready"), [
    503,
    '{"status":"not ready","problems":{"homeserver":"refuses our token","prosody":"not reached"}}',
  ]);
  assert.deepEqual(await get("/health/ready?part=database"), [200, '{"status":"ready"}']);
  assert.deepEqual(await get("/health/ready?part=prosody"), [
    503,
    '{"status":"not ready","problems":{"prosody":"not reached"}}',
  ]);
  health.set("process", "it is starting");
  assert.deepEqual(await get("/health/ready?part=database"), [
    503,
    '{"status":"not ready","problems":{"process":"it is starting"}}',
  ]);
  health.set("process", undefined);
  assert.deepEqual(await get("/health/live"), [200, '{"status":"live"}']);
  health.set("homeserver", undefined);
  assert.deepEqual(health.problems(), { prosody: "not reached" });
  health.set("prosody", undefined);
  assert.deepEqual(await get("/health/ready"), [200, '{"status":"ready"}']);
  assert.deepEqual(await get("/metrics"), [200, "up 1"]);
  assert.deepEqual(await get("/health"), [404, '{"error":"not found"}']);
});
