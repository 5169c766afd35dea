/** Messages that break a mapping: they are put aside, and nothing else stops for them. */

import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { xml } from "../../src/xmpp/stanza.ts";
import { waitFor } from "../support/wait-for.ts";
import type { Fault } from "./fault.ts";
import { type Column, isComplete, judge as judgeOf, sumOf } from "./ledger.ts";
import { onStage, type Scene } from "./scene.ts";

const preload = fileURLToPath(new URL("poison.ts", import.meta.url));
const operator = "operator";
const permissions = { "*": "user", [`${operator}@xmpp.test`]: "admin" };

/** Writes to the bot, and waits for its answer. */
async function say({ prosody }: Scene, text: string, answer: RegExp): Promise<void> {
  const person = prosody.user(operator);
  await person.sendText(prosody.component, text);
  await waitFor(() => person.bodies().some((body) => answer.test(body)), `an answer to ${text}`);
}

/** What was put aside comes later than what was not: that is what putting aside means. */
const isExpected = (line: string): boolean => /reordered/.test(line) && /poison|venom/.test(line);

const poison: Fault = {
  name: "poison: put aside, told, and delivered by retry",
  run: ({ random }) =>
    onStage({ random, config: { permissions } }, async (scene) => {
      const { traffic, start, live, restart, judge } = scene;
      await start({ nodeArguments: ["--import", preload] });
      await live();
      traffic.start(60);
      // A room is the pair's once Romeo has heard of it.
      const known = () => traffic.all.filter(({ room, romeo }) => room && romeo.messages().length > 0);
      await waitFor(() => known().length >= 4, "conversations to begin");
      const marked = random.shuffled(known()).slice(0, 4);
      for (const conversation of marked) {
        traffic.toXmpp(conversation, " poison");
        traffic.toMatrix(conversation, " poison");
      }
      const isPoison = (body: string): boolean => body.includes("poison");
      const tolds = (): number =>
        Object.values(traffic.columns(0))
          .flat()
          .flatMap(({ told }) => [...told])
          .filter(isPoison).length;
      await waitFor(() => tolds() === marked.length * 2, "the senders to be told", 20_000);
      await traffic.stop();
      const broken: string[] = [];
      await say(scene, "parked", /this message is poison/);
      // The better version.
      await restart();
      await live();
      await say(scene, "retry all", new RegExp(`Tried again now: ${marked.length * 2}`));
      const arrived = (): number =>
        Object.values(traffic.columns(0))
          .flat()
          .flatMap((column) => column.arrived)
          .filter(({ body }) => isPoison(body)).length;
      await waitFor(() => arrived() === marked.length * 2, "what was put aside to arrive", 20_000).catch(() =>
        broken.push(`${arrived()} of ${marked.length * 2} arrived after the retry`),
      );
      const outcome = await judge();
      return { ...outcome, broken: [...broken, ...outcome.broken.filter((line) => !isExpected(line))] };
    }),
};

const count = 10;
const messages = (word: string, ...marks: [number, string][]): string[] =>
  Array.from({ length: count }, (_, n) => `${word}-${n}${marks.find(([at]) => at === n)?.[1] ?? ""}`);

/** Nurse and Benvolio in an XMPP room and its portal, Nurse and Tybalt in a Matrix room, and what they say there. */
async function meetInRooms({ homeserver, prosody }: Scene) {
  const orchard = prosody.muc("orchard");
  orchard.enter("benvolio@xmpp.test/street", "Benvolio");
  const [nurse, benvolio, tybalt] = [
    homeserver.user("nurse"),
    prosody.user("benvolio"),
    prosody.user("tybalt"),
  ];
  tybalt.answerIqs(({ attrs: { from, to, id } }) => xml("iq", { type: "result", from: to, to: from, id }));
  const linked = await nurse.joinAlias("#_xmpp_orchard=40conference.xmpp.test:hs.test");
  const hall = nurse.createRoom({ preset: "public_chat", name: "The hall" });
  const address = `${hall.replace(":", "%")}@${prosody.component}`;
  await tybalt.send(
    xml("presence", { to: `${address}/Tybalt` }, xml("x", { xmlns: "http://jabber.org/protocol/muc" })),
  );
  await waitFor(
    () => orchard.occupants.has("nurse") && tybalt.inbox.some((stanza) => stanza.getChild("subject")),
    "all to be in their rooms",
  );
  const said = {
    orchard: messages("o", [3, " poison"], [6, " venom"]),
    portal: messages("p", [3, " poison"]),
    hall: messages("h", [3, " poison"]),
    guest: messages("g", [3, " poison"], [6, " venom"]),
  };
  const heard = (user: typeof tybalt, word: string) =>
    user
      .messages()
      .map((stanza) => ({ id: String(stanza.attrs.id), body: String(stanza.getChildText("body")) }))
      .filter(({ body }) => body.startsWith(`${word}-`));
  const seen = (roomId: string, word: string) =>
    nurse
      .received(roomId)
      .filter((body) => body.startsWith(`${word}-`))
      .map((body) => ({ id: body, body }));
  return {
    /** How often the bridge breaks on them: an occupant's message comes to each of ours, the bot and Nurse. */
    breaks: 1 + 2 + 1 + 1 + 2,
    async sayAll(): Promise<void> {
      for (let n = 0; n < count; n += 1) {
        orchard.say("Benvolio", said.orchard[n] ?? "");
        nurse.sendText(linked, said.portal[n] ?? "");
        nurse.sendText(hall, said.hall[n] ?? "");
        const body = said.guest[n] ?? "";
        await tybalt.send(
          xml("message", { type: "groupchat", to: address, id: body }, xml("body", {}, body)),
        );
        await delay(50);
      }
    },
    columns: (mayDouble: number): Record<"toXmpp" | "toMatrix", Column[]> => {
      const common = { told: new Set<string>(), mayDouble };
      return {
        toXmpp: [
          { ...common, name: "portal", sent: said.portal, arrived: heard(benvolio, "p") },
          { ...common, name: "hall", sent: said.hall, arrived: heard(tybalt, "h") },
        ],
        toMatrix: [
          { ...common, name: "orchard", sent: said.orchard, arrived: seen(linked, "o"), mayDouble: 0 },
          { ...common, name: "guest", sent: said.guest, arrived: seen(hall, "g"), mayDouble: 0 },
        ],
      };
    },
  };
}

const inRooms: Fault = {
  name: "poison: in rooms of both networks, before it is stored too",
  run: ({ random }) =>
    onStage({ random, config: { permissions } }, async (scene) => {
      const { traffic, bridge, start, live, restart, judge } = scene;
      await start({ nodeArguments: ["--import", preload] });
      await live();
      const rooms = await meetInRooms(scene);
      traffic.start(40);
      await rooms.sayAll();
      const arrived = (): number =>
        Object.values(rooms.columns(0))
          .flat()
          .reduce((sum, column) => sum + column.arrived.length, 0);
      const parked = (): number => bridge.log().split("parked: ").length - 1;
      await waitFor(() => arrived() === 4 * count - 6, "the others to arrive", 20_000);
      await waitFor(() => parked() === rooms.breaks, `${rooms.breaks} to be put aside`, 20_000);
      await traffic.stop();
      await restart();
      await live();
      await say(scene, "retry all", new RegExp(`Tried again now: ${rooms.breaks}`));
      const isOver = (): boolean => Object.values(rooms.columns(1)).flat().every(isComplete);
      await waitFor(isOver, "what was put aside to arrive", 20_000).catch(() => undefined);
      const outcome = await judge();
      const [there, back] = (["toXmpp", "toMatrix"] as const).map((way) =>
        sumOf([outcome[way], ...rooms.columns(1)[way].map(judgeOf)]),
      );
      const { toXmpp, toMatrix } = { toXmpp: there ?? outcome.toXmpp, toMatrix: back ?? outcome.toMatrix };
      const broken = new Set([...outcome.broken, ...toXmpp.broken, ...toMatrix.broken]);
      return { toXmpp, toMatrix, broken: [...broken].filter((line) => !isExpected(line)) };
    }),
};

export const poisonFaults: Fault[] = [poison, inRooms];
