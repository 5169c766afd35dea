/** The two kinds of rooms, shown between real servers: an XMPP room entered from Matrix, a Matrix room entered from XMPP. */
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import type { MatrixUser } from "../test/servers/matrix-user.ts";
import { joinMuc, type MucUser } from "../test/servers/muc-user.ts";
import { openMuc, portalAlias } from "../test/servers/room-scene.ts";
import type { XmppUser } from "../test/servers/xmpp-user.ts";
import { type Line, lineOfContent } from "./stage.ts";
import { faultsOf } from "./verdict.ts";

export interface RoomScene {
  juliet: MatrixUser;
  romeo: XmppUser;
  print(line: string): void;
}

const orchard = "orchard@conference.xmpp.test";
/** A repeat would come later than the first, so the last line is given time for one. */
const settleMs = 500;

const fromJuliet = ["Are you here as well, Romeo?", "Then speak low: the others read along."];
const fromRomeo = ["In every room that you are in.", "Let them."];

const lines = (texts: readonly string[]): Line[] => texts.map((text) => ({ manner: "text", text }));

/** Each in turn, each once the other has read what came before. */
async function talk(
  { juliet, print }: RoomScene,
  roomId: string,
  romeo: MucUser,
  nick: string,
): Promise<string[]> {
  const shown = async (by: string, text: string, send: Promise<unknown>, arrival: Promise<unknown>) => {
    const start = performance.now();
    await send;
    await arrival;
    const took = `${(performance.now() - start).toFixed(0)} ms`;
    print(`${by.padStart(6)} → the room ${took.padStart(8)}   ${text}`);
  };
  const isShown = (text: string) => (event: (typeof juliet.events)[number]) =>
    event.room_id === roomId && event.sender !== juliet.userId && event.content.body === text;
  for (const [index, text] of fromJuliet.entries()) {
    await shown("Juliet", text, juliet.sendText(roomId, text), romeo.waitForMessage(text));
    const answer = fromRomeo[index] ?? "";
    await shown("Romeo", answer, romeo.say(answer), juliet.waitFor(isShown(answer)));
  }
  await delay(settleMs);
  const atRomeo = romeo.said().flatMap(([by, text]) => (by === nick ? [] : lines([text])));
  const atJuliet = juliet.events
    .filter(({ room_id: room, sender, type, content }) => {
      const isSaid = type === "m.room.message" && content.msgtype === "m.text";
      return room === roomId && isSaid && sender !== juliet.userId;
    })
    .map(({ content }) => lineOfContent(content));
  return [
    ...faultsOf("Romeo", lines(fromJuliet), atRomeo),
    ...faultsOf("Juliet", lines(fromRomeo), atJuliet),
  ];
}

/** @returns a sentence for each fault; none if every message arrived once and in order. */
export async function meetInRooms(scene: RoomScene): Promise<string[]> {
  const { juliet, romeo, print } = scene;
  print(`\nRomeo opens the XMPP room ${orchard}; Juliet joins ${portalAlias(orchard)}.\n`);
  const muc = await openMuc(romeo, orchard, "Romeo");
  const portal = await juliet.join(portalAlias(orchard));
  const { displayname: nick } = (await juliet.request(
    "GET",
    `/_matrix/client/v3/profile/${encodeURIComponent(juliet.userId)}/displayname`,
  )) as { displayname?: string };
  await muc.waitForPresence(nick ?? "juliet");
  const inPortal = await talk(scene, portal, muc, "Romeo");

  print("\nJuliet opens the Matrix room #balcony:hs.test; Romeo joins #balcony%hs.test@bridge.xmpp.test.\n");
  const balcony = await juliet.createRoom({
    preset: "public_chat",
    room_alias_name: "balcony",
    name: "Balcony",
  });
  const guest = await joinMuc(romeo, "#balcony%hs.test@bridge.xmpp.test", "Romeo");
  const inHosted = await talk(scene, balcony, guest, "Romeo");
  return [...inPortal, ...inHosted];
}
