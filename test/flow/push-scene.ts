/** Homeservers that talk to the push gateway, and people who have notifications come to them. */
import type { TestContext } from "node:test";
import { waitFor } from "../support/wait-for.ts";
import { setScene } from "./scene.ts";

export const bridgeJid = "bridge.xmpp.test";
const gateway = "/_matrix/push/v1/notify";

type Scene = Awaited<ReturnType<typeof setScene>>;
type Person = Scene["romeo"];

const event = {
  event_id: "$3957tyerfgewrf384",
  room_id: "!slw48wfj34rtnrf:hs.test",
  type: "m.room.message",
  sender: "@juliet:hs.test",
  sender_display_name: "Juliet",
  room_name: "Garden",
  prio: "high",
  content: { msgtype: "m.text", body: "Art thou there?" },
  counts: { unread: 2 },
};
export const device = (pushkey: string, more = {}) => ({
  app_id: "im.causeway.xmpp",
  pushkey,
  pushkey_ts: 12345678,
  data: {},
  tweaks: { sound: "bing" },
  ...more,
});

export async function post(
  url: string,
  body: unknown,
): Promise<[status: number, answer: Record<string, unknown>]> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(`${url}${gateway}`, { method: "POST", body: text });
  return [response.status, (await response.json()) as Record<string, unknown>];
}
export const notify = (url: string, keys: string[], more: object = {}) =>
  post(url, { notification: { ...event, devices: keys.map((key) => device(key)), ...more } });

/** What the bridge answers to a line of chat. */
export async function say(person: Person, line: string): Promise<string> {
  const before = person.bodies().length;
  await person.sendText(bridgeJid, line);
  return waitFor(() => person.bodies()[before], `an answer to ${line}`);
}

/** The body of the request that the answer asks a person to send to the homeserver. */
export const pusherIn = (answer: string) =>
  JSON.parse(/-d '(.*)'/.exec(answer)?.[1] ?? "null") as { pushkey: string; data: { url: string } };

export const keyFor = async (person: Person): Promise<string> =>
  pusherIn(await say(person, "notify")).pushkey;

/** The notifications that came after the answers to commands. */
export const heard = (person: Person) => person.bodies().filter((body) => !body.includes("confirmed"));

export async function begin(t: TestContext, options: Parameters<Scene["start"]>[0] = {}) {
  const scene = await setScene(t);
  const bridge = await scene.start(options);
  return { ...scene, bridge, url: bridge.url, key: await keyFor(scene.romeo) };
}
