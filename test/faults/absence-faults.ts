/** A bridge that is down for a day: what the homeserver has kept comes at once, and what was true yesterday only does not. */
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { dateTimeOf } from "../../src/mapping/date-times.ts";
import { xml } from "../../src/xmpp/stanza.ts";
import { waitFor } from "../support/wait-for.ts";
import { clockVariable } from "./clock-variable.ts";
import type { Fault } from "./fault.ts";
import { onStage } from "./scene.ts";

/** And an hour: longer than messages are tried. */
const dayMs = 25 * 3_600_000;

/** The clock of a process from its start on. */
export const inADay = {
  nodeArguments: ["--import", fileURLToPath(new URL("clock-steps.ts", import.meta.url))],
  environment: { [clockVariable]: `0:${dayMs}` },
};

const absent: Fault = {
  name: "bridge: down for a day",
  run: ({ random, scale }) =>
    onStage({ random }, async (scene) => {
      const { homeserver, prosody, bridge, traffic, start, live, judge } = scene;
      await start();
      await live();
      traffic.start(60);
      await delay(1500);
      const { pair, read } = await waitFor(() => {
        const [pair] = traffic.all;
        const { events } = homeserver.rooms.all().find(({ id }) => id === pair?.room) ?? { events: [] };
        const said = events.findLast(
          ({ sender, type }) => sender === pair?.ghost && type === "m.room.message",
        );
        return pair && said && { pair, read: said.event_id };
      }, "somebody to have heard from somebody");
      const { juliet, romeo, julietJid } = pair;
      await romeo.send(xml("presence", { type: "subscribe", to: julietJid }));
      await waitFor(() => romeo.inbox.some(({ attrs }) => attrs.type === "subscribe"), "the subscription");
      await traffic.stop();
      // Prosody goes first and comes back last, so that some are on their way already.
      await prosody.stop();
      scene.interrupted();
      for (let n = 0; n < 20; n += 1) traffic.toXmpp(random.pick(traffic.all));
      await homeserver.drained();
      await bridge.stop();

      const typing = { type: "m.typing", room_id: pair.room, content: { user_ids: [juliet.userId] } };
      const away = { type: "m.presence", sender: juliet.userId, content: { presence: "unavailable" } };
      const receipt = {
        type: "m.receipt",
        room_id: pair.room,
        content: { [read]: { "m.read": { [juliet.userId]: { ts: 1 } } } },
      };
      const first = new Map(traffic.all.map((one) => [one, one.sent.toXmpp.length]));
      for (let n = 0; n < 100 * scale; n += 1) {
        traffic.toXmpp(random.pick(traffic.all));
        if (n % 10 === 0) homeserver.tell(typing, away);
        if (n % 10 === 5) traffic.toMatrix(random.pick(traffic.all));
      }
      homeserver.tell(typing, away, receipt);

      const before = romeo.inbox.length;
      const writtenAt = Date.now();
      homeserver.setClock(dayMs);
      homeserver.pause();
      await start(inADay);
      await live();
      await delay(1500);
      await prosody.start();
      homeserver.resume();
      const count = (part: string): number =>
        romeo.inbox.slice(before).filter((stanza) => String(stanza).includes(part)).length;
      await homeserver.drained();
      await waitFor(() => count("<displayed ") === 1, "what was read yesterday", 20_000);
      const arrived = (): boolean =>
        traffic.all.every(({ sent, romeo: to }) => to.bodies().includes(sent.toXmpp.at(-1) ?? ""));
      await waitFor(arrived, "what was written yesterday", 20_000);
      const broken: string[] = [];
      if (count("<composing ") > 0) broken.push("who typed yesterday was shown typing");
      if (count("<show>away<") > 0) broken.push("who was away yesterday was shown away");
      for (const { sent, romeo: to, ...one } of traffic.all) {
        const kept = new Set(sent.toXmpp.slice(first.get(traffic.all[one.n] ?? pair)));
        const stamps = to
          .messages()
          .filter((stanza) => kept.has(stanza.getChildText("body") ?? ""))
          .map((stanza) => dateTimeOf(String(stanza.getChild("delay")?.attrs.stamp)));
        if (stamps.some((stamp) => !(Math.abs(stamp - writtenAt) < 60_000)))
          broken.push(`conversation ${one.n} was not told that it is of yesterday`);
      }

      // And what is now is shown as ever.
      traffic.toXmpp(pair);
      homeserver.tell(typing, away);
      await waitFor(
        () => count("<composing ") + count("<show>away<") === 2,
        "what is true today",
        20_000,
      ).catch(() => broken.push("what is true today was not shown"));
      traffic.start(60);
      await delay(1000);
      const outcome = await judge();
      return { ...outcome, broken: [...broken, ...outcome.broken] };
    }),
};

export const absenceFaults: Fault[] = [absent];
