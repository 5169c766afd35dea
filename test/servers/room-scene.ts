/** What tests of rooms look for on both sides: rooms of Prosody as their owners set them up, Matrix rooms as their members see them. */
import { waitFor } from "../support/wait-for.ts";
import type { SyncEvent } from "./matrix-sync.ts";
import type { MatrixUser } from "./matrix-user.ts";
import { joinMuc, type MucUser } from "./muc-user.ts";
import type { Stage } from "./stage.ts";
import type { XmppUser } from "./xmpp-user.ts";

const waitMs = 40_000;
const bot = "@_xmpp_bot:hs.test";
const roomPath = (id: string) => `/_matrix/client/v3/rooms/${encodeURIComponent(id)}`;

export interface People {
  stage: Stage;
  juliet: MatrixUser;
  nurse: MatrixUser;
  romeo: XmppUser;
  mercutio: XmppUser;
}

/** Two of each network. */
export async function gather(stage: Stage): Promise<People> {
  const [juliet, nurse, romeo, mercutio] = await Promise.all([
    stage.matrixUser("juliet"),
    stage.matrixUser("nurse"),
    stage.xmppUser("romeo"),
    stage.xmppUser("mercutio"),
  ]);
  return { stage, juliet, nurse, romeo, mercutio };
}

/** A room that is on both networks. */
export interface Meeting {
  /** Its address for XMPP users. */
  room: string;
  roomId: string;
  /** Romeo and Mercutio in it. */
  r: MucUser;
  m: MucUser;
}

/** All four in the portal of a new XMPP room, each seen by all. */
export async function meetInPortal(people: People, name: string): Promise<Meeting> {
  const { stage, juliet, nurse, romeo, mercutio } = people;
  const room = `${name}@${stage.muc}`;
  const r = await openMuc(romeo, room, "Romeo");
  const m = await joinMuc(mercutio, room, "Mercutio");
  const roomId = await juliet.join(portalAlias(room));
  await nurse.join(portalAlias(room));
  await waitForMembers(juliet, roomId, ["Mercutio", "Romeo", "juliet", "nurse"]);
  for (const user of [r, m])
    for (const nick of ["juliet", "nurse"]) await user.waitForPresence(nick, undefined, waitMs);
  return { room, roomId, r, m };
}

/** A new room of Prosody's that lasts, with its owner in it. */
export async function openMuc(
  owner: XmppUser,
  room: string,
  nick: string,
  fields: Record<string, string> = {},
): Promise<MucUser> {
  const muc = await joinMuc(owner, room, nick);
  await muc.configure({
    "muc#roomconfig_persistentroom": "1",
    "muc#roomconfig_publicroom": "1",
    "muc#roomconfig_changesubject": "1",
    ...fields,
  });
  return muc;
}

/** The alias of the portal of an XMPP room. */
export const portalAlias = (room: string): string => `#_xmpp_${room.replace("@", "=40")}:hs.test`;

/** Display names of those who are in the room, by MXID; without the bot. */
export async function membersOf(user: MatrixUser, roomId: string): Promise<Map<string, string>> {
  const { joined } = (await user.request("GET", `${roomPath(roomId)}/joined_members`)) as {
    joined: Record<string, { display_name?: string | null }>;
  };
  const members = Object.entries(joined).filter(([id]) => id !== bot);
  return new Map(members.map(([id, { display_name }]): [string, string] => [id, display_name ?? ""]));
}

/** Waits until exactly those are in the room, by display name. */
export async function waitForMembers(user: MatrixUser, roomId: string, names: string[]): Promise<void> {
  const wanted = names.toSorted().join(", ");
  let seen = "";
  await waitFor(
    async () => {
      seen = [...(await membersOf(user, roomId)).values()].sort().join(", ");
      return seen === wanted;
    },
    `${wanted} to be in the room`,
    waitMs,
  ).catch((error: Error) => {
    throw new Error(`${error.message}; there are ${seen}`);
  });
}

/** The MXID of somebody in the room, once they are there. */
export const waitForMember = (user: MatrixUser, roomId: string, name: string): Promise<string> =>
  waitFor(
    async () => [...(await membersOf(user, roomId))].find(([, shown]) => shown === name)?.[0],
    `${name} to be in the room`,
    waitMs,
  );

/** Waits until nobody in the room is called that. */
export const waitForAbsence = (user: MatrixUser, roomId: string, name: string): Promise<boolean> =>
  waitFor(
    async () => ![...(await membersOf(user, roomId)).values()].includes(name),
    `${name} to be gone`,
    waitMs,
  );

/** The content of a state event; undefined where there is none. */
export const stateOf = (
  user: MatrixUser,
  roomId: string,
  type: string,
  key = "",
): Promise<Record<string, unknown> | undefined> =>
  user
    .request("GET", `${roomPath(roomId)}/state/${encodeURIComponent(type)}/${encodeURIComponent(key)}`)
    .catch(() => undefined);

/** Waits until the user has exactly this power in the room. */
export const waitForPower = (user: MatrixUser, roomId: string, level: number): Promise<boolean> =>
  waitFor(
    async () => {
      const levels = await stateOf(user, roomId, "m.room.power_levels");
      return (levels?.users as Record<string, number> | undefined)?.[user.userId] === level;
    },
    `${user.userId} to have the power of ${level}`,
    waitMs,
  );

/** All events of the room, oldest first, as a client sees them that scrolls up. */
export async function eventsIn(user: MatrixUser, roomId: string): Promise<SyncEvent[]> {
  const { chunk } = (await user.request("GET", `${roomPath(roomId)}/messages?dir=f&limit=1000`)) as {
    chunk: SyncEvent[];
  };
  return chunk;
}

/** Who said what, by the name that they have now, oldest first; without what the bridge itself says. */
export async function saidIn(user: MatrixUser, roomId: string): Promise<[string, string][]> {
  const members = await membersOf(user, roomId);
  return (await eventsIn(user, roomId))
    .filter(({ type, sender, content }) => type === "m.room.message" && sender !== bot && content.body)
    .map(({ sender, content }): [string, string] => [members.get(sender) ?? sender, String(content.body)]);
}

/** A message of the room, once it is there. */
export const hear = (user: MatrixUser, roomId: string, body: string): Promise<SyncEvent> =>
  user.waitFor((event) => event.room_id === roomId && event.content.body === body, waitMs);

const isOfBot = (event: SyncEvent, roomId: string): boolean =>
  event.room_id === roomId && event.sender === bot && event.type === "m.room.message";

/** Says a line in a room where the bot is. @returns the bot's first word after it that fits. */
export async function askBot(
  user: MatrixUser,
  roomId: string,
  line: string,
  pattern = /./s,
): Promise<string> {
  const asked = await user.sendText(roomId, line);
  // What the bot has said before may come late to the user's own client, and is no answer.
  const place = () => user.events.findIndex((event) => event.event_id === asked);
  const answer = await user.waitFor(
    (event) =>
      isOfBot(event, roomId) &&
      pattern.test(String(event.content.body)) &&
      place() >= 0 &&
      user.events.indexOf(event) > place(),
    waitMs,
  );
  return String(answer.content.body);
}

/** Resolves once the bot has greeted: that is no answer to anything. */
export const waitForGreeting = (user: MatrixUser, roomId: string): Promise<SyncEvent> =>
  user.waitFor((event) => isOfBot(event, roomId), waitMs);

/** A direct chat with the bot, as clients open them. @returns the room, once the bot has greeted. */
export async function openBotChat(user: MatrixUser, preset = "trusted_private_chat"): Promise<string> {
  const roomId = await user.createRoom({ is_direct: true, preset, invite: [bot] });
  await waitForGreeting(user, roomId);
  return roomId;
}
