/** Servers that fail: gone, slow, refusing, answering nonsense, or answering less than they did. */
import { setTimeout as delay } from "node:timers/promises";
import { errorReply, parseStanza, serialize } from "../../src/xmpp/stanza.ts";
import type { Fault as Answer, SeenRequest } from "../support/fake-server.ts";
import type { Fault } from "./fault.ts";
import { onStage, type Scene } from "./scene.ts";

const perSecond = 60;
const lastsMs = 3000;

/** People write; in their midst `disturb` makes something go wrong, and right again before it resolves. */
export const during = (
  name: string,
  disturb: (scene: Scene, lasts: number) => Promise<unknown>,
  perSecondHere = perSecond,
): Fault => ({
  name,
  run: ({ random, scale }) =>
    onStage({ random }, async (scene) => {
      await scene.start();
      await scene.live();
      scene.traffic.start(perSecondHere);
      await delay(500);
      await disturb(scene, lastsMs * scale);
      await delay(500);
      return scene.judge();
    }),
});

type Side = "homeserver" | "prosody";

/** Some of the answers are other ones for a while. */
const answering = (
  name: string,
  side: Side,
  share: number,
  answer: (request: SeenRequest) => Answer,
): Fault =>
  during(name, async (scene, lasts) => {
    scene[side].respond((request) => (scene.random.chance(share) ? answer(request) : undefined));
    await delay(lasts);
    scene[side].respond(() => undefined);
    // A message may have been on its way to Prosody then, in any conversation, once for each answer.
    for (let n = 0; n < lasts / 100; n += 1) scene.interrupted();
  });

const json = (status: number, body: unknown): Answer => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});
const page = (status: number): Answer => ({
  status,
  headers: { "content-type": "text/html" },
  body: `<html><body>${status}</body></html>`,
});

/** Up to the last byte all is done; then half of the answer comes. */
const halfAnswer = (side: "toHomeserver" | "toProsody") => async (scene: Scene, lasts: number) => {
  const end = performance.now() + lasts;
  while (performance.now() < end) {
    scene.links[side].weather({ breakAnswerAfter: scene.random.whole(20, 400) });
    await delay(100);
    scene.links[side].weather({});
    await delay(100);
    scene.interrupted();
  }
};

const isStanza = ({ method, path, body }: SeenRequest): boolean =>
  method === "POST" && path === "/rest" && body.startsWith("<message");
const refusal = (type: string, condition: string, { body }: SeenRequest): Answer => ({
  status: 200,
  headers: { "content-type": "application/xmpp+xml" },
  body: serialize(errorReply(parseStanza(body), { type, condition })),
});

const nonsense = (what: string, body: string): Fault =>
  answering(`homeserver: acts, and answers ${what}`, "homeserver", 0.5, () => ({ body }));

/** What a proxy says while it is set up anew. */
const pages = (name: string, side: Side): Fault => {
  let n = 0;
  const statuses = [404, 200, 403, 302, 400, 405];
  return answering(`${name}: a proxy's pages in its place`, side, 0.5, () =>
    page(statuses[n++ % statuses.length] ?? 404),
  );
};

export const homeserverFaults: Fault[] = [
  during("homeserver: stopped and started", async ({ homeserver, random }, lasts) => {
    for (let n = 0; n < lasts / 1000; n += 1) {
      await homeserver.stop();
      await delay(random.whole(50, 700));
      await homeserver.start();
      await delay(300);
    }
  }),
  during("homeserver: restarted, forgetting what waits", async (scene, lasts) => {
    const { homeserver, links, random, traffic } = scene;
    // An invitation that it forgets is one that nobody else has heard of.
    await traffic.settleDown();
    for (let n = 0; n < lasts / 1500; n += 1) {
      homeserver.pause();
      await homeserver.stop();
      links.fromHomeserver.cut();
      await delay(random.whole(50, 700));
      homeserver.loseQueue();
      // Until here it was the old process that still talked.
      links.fromHomeserver.cut();
      homeserver.forgetTransactions();
      await homeserver.start();
      homeserver.resume();
      await delay(500);
    }
  }),
  answering("homeserver: slow, 0.3 to 3 s", "homeserver", 0.7, () => ({
    delayMs: 300 + 2700 * Math.random(),
  })),
  answering("homeserver: 429", "homeserver", 0.5, () =>
    json(429, { errcode: "M_LIMIT_EXCEEDED", retry_after_ms: 200 }),
  ),
  answering("homeserver: 500", "homeserver", 0.5, () => json(500, { errcode: "M_UNKNOWN" })),
  answering("homeserver: 502", "homeserver", 0.5, () => page(502)),
  answering("homeserver: 503", "homeserver", 0.5, () => page(503)),
  answering("homeserver: 504", "homeserver", 0.5, () => page(504)),
  answering("homeserver: acts, and resets", "homeserver", 0.4, () => "process-then-reset"),
  nonsense("invalid JSON", '{"event_id": "$'),
  nonsense("other JSON", "[]"),
  pages("homeserver", "homeserver"),
  during("homeserver: half an answer", halfAnswer("toHomeserver")),
  during("homeserver: token revoked and given back", async ({ homeserver }, lasts) => {
    homeserver.respond(() => json(401, { errcode: "M_UNKNOWN_TOKEN", error: "Unrecognised access token" }));
    await delay(lasts);
    homeserver.respond(() => undefined);
  }),
];

export const prosodyFaults: Fault[] = [
  during("Prosody: stopped and started", async ({ prosody, links, random, interrupted }, lasts) => {
    for (let n = 0; n < lasts / 1000; n += 1) {
      await prosody.stop();
      links.fromProsody.cut();
      interrupted();
      await delay(random.whole(50, 700));
      await prosody.start();
      await delay(300);
    }
  }),
  answering("Prosody: 500", "prosody", 0.5, () => ({ status: 500 })),
  answering("Prosody: 502 and 503", "prosody", 0.5, () => page(Math.random() < 0.5 ? 502 : 503)),
  pages("Prosody", "prosody"),
  answering("Prosody: slow, 0.3 to 3 s", "prosody", 0.7, () => ({ delayMs: 300 + 2700 * Math.random() })),
  answering("Prosody: 200 with an error that passes", "prosody", 0.5, (request) =>
    isStanza(request) ? refusal("wait", "resource-constraint", request) : undefined,
  ),
  answering("Prosody: 200 with an error that stays", "prosody", 0.3, (request) =>
    isStanza(request) ? refusal("cancel", "service-unavailable", request) : undefined,
  ),
  answering("Prosody: acts, and resets", "prosody", 0.4, () => "process-then-reset"),
  during("Prosody: half an answer", halfAnswer("toProsody")),
  during("Prosody: kept-alive connections reset", async ({ links, interrupted }, lasts) => {
    for (let n = 0; n < lasts / 50; n += 1) {
      await delay(50);
      links.toProsody.cut();
      interrupted();
    }
  }),
  {
    name: "Prosody: callbacks in disorder",
    run: ({ random, scale }) =>
      onStage({ random }, async (scene) => {
        await scene.start();
        await scene.live();
        scene.traffic.start(20);
        for (let n = 0; n < 10 * scale; n += 1) {
          await delay(200);
          await scene.traffic.burst(random.whole(2, 30));
        }
        return scene.judge();
      }),
  },
];
