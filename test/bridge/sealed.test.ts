import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { createSeal, sealCluster } from "../../src/bridge/sealed.ts";
import type { Answer, Cluster } from "../../src/cluster/cluster.ts";

const seal = createSeal("as token");

test("what was sealed opens as it was, JSON or nothing, and never looks the same twice", () => {
  fc.assert(
    fc.property(fc.option(fc.jsonValue(), { nil: undefined }), (value) => {
      const text = seal.close(value);
      assert.notEqual(text, seal.close(value));
      assert.deepEqual(seal.open(text), JSON.parse(JSON.stringify([value]))[0] ?? undefined);
    }),
  );
});

test("what another secret has sealed, or somebody has changed, does not open", () => {
  const text = createSeal("another token").close("friar");
  assert.throws(() => seal.open(text));
  const bytes = Buffer.from(seal.close("friar"), "base64");
  bytes[14] = Number(bytes[14]) ^ 1;
  assert.throws(() => seal.open(bytes.toString("base64")));
});

test("nothing that is told, asked or answered passes in the clear", async () => {
  const seen: unknown[] = [];
  let answers: Record<string, Answer> = {};
  const note = <T>(value: T): T => {
    seen.push(value);
    return value;
  };
  const cluster = sealCluster(
    {
      tell: async (_to: string, kind: string, payload: unknown) =>
        void (await answers[kind]?.(note(payload))),
      ask: async (kind: string, payload: unknown) => note(await answers[kind]?.(note(payload))),
      start: async (given: Record<string, Answer>) => {
        answers = given;
      },
    } as unknown as Cluster,
    seal,
  );
  const told: unknown[] = [];
  await cluster.start(
    {
      news: async (payload) => void told.push(payload),
      question: async (payload) => ({ echo: payload }),
    },
    async () => undefined,
    async () => undefined,
  );
  await cluster.tell("lead", "news", "the password is rosaline");
  assert.deepEqual(told, ["the password is rosaline"]);
  assert.deepEqual(await cluster.ask("question", { password: "rosaline" }), {
    echo: { password: "rosaline" },
  });
  assert.equal(seen.length, 3);
  assert.ok(seen.every((payload) => typeof payload === "string" && !payload.includes("rosaline")));
});
