/** Juliet on Matrix, Romeo on XMPP and the bridge between them: what every flow test begins with. */
import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import { type BridgeOptions, startBridge, startBridgeProcess, temporaryFolder } from "../support/bridge.ts";
import { createTestDatabase } from "../support/database.ts";
import { type HomeserverOptions, startFakeHomeserver } from "../support/fake-homeserver.ts";
import { type ProsodyOptions, startFakeProsody } from "../support/fake-prosody.ts";
import type { SeenRequest } from "../support/fake-server.ts";
import { waitFor } from "../support/wait-for.ts";

export const julietJid = "juliet%hs.test@bridge.xmpp.test";
export const romeoGhost = "@_xmpp_romeo=40xmpp.test:hs.test";
export const ghostOf = (local: string): string => `@_xmpp_${local}=40xmpp.test:hs.test`;

/** Numbered bodies, so that order and repeats can be read from what arrives. */
export const numbered = (word: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${word} ${index}`);

/** A message event as a homeserver would push it. */
export const eventIn = (room_id: string, body: string, sender = "@juliet:hs.test") => ({
  event_id: `$${randomUUID()}`,
  type: "m.room.message",
  room_id,
  sender,
  origin_server_ts: Date.now(),
  content: { msgtype: "m.text", body },
});

/** Whether a request sends a message as a ghost. */
export const isSend = ({ method, path }: SeenRequest): boolean => method === "PUT" && path.includes("/send/");

/** Both servers with their people, and a folder for the database; all of it gone when the test is over. */
export async function setScene(
  t: TestContext,
  options: HomeserverOptions = {},
  prosodyOptions: ProsodyOptions = {},
) {
  const homeserver = await startFakeHomeserver(options);
  const prosody = await startFakeProsody(prosodyOptions);
  const folder = temporaryFolder();
  const database = await createTestDatabase(folder.path);
  const running = new Set<() => Promise<unknown>>();
  t.after(async () => {
    await Promise.all([...running].map((stop) => stop()));
    await Promise.all([homeserver.close(), prosody.stop(), database.drop()]);
    folder.remove();
  });
  const juliet = homeserver.user("juliet");
  const romeo = prosody.user("romeo");
  /** The log of the newest bridge. */
  let heard = (): string[] => [];
  type Options = Pick<BridgeOptions, "config" | "clock">;

  return {
    homeserver,
    prosody,
    juliet,
    romeo,
    database,
    /** In this process; started twice one after the other, it goes on with the same database. */
    async start(options: Options = {}) {
      const given = { homeserver, prosody, database: database.address, log: [], ...options };
      // Whatever comes in then comes to the one that does not lead.
      const leader = process.env.E2E_PROCESSES === "2" ? await startBridge(given) : undefined;
      await leader?.ready();
      const bridge = await startBridge({ ...given, isFurther: leader !== undefined });
      heard = () => bridge.log;
      const stop = async (): Promise<void> => {
        running.delete(stop);
        await bridge.stop();
        await leader?.stop();
      };
      running.add(stop);
      await bridge.ready();
      // What it asks the homeserver by itself comes first, so that tests can count what they bring about.
      const compared = (line: string): boolean => line.includes("rooms that are remembered");
      await waitFor(() => bridge.log.some(compared), "the bridge to compare its rooms");
      return {
        ...bridge,
        stop,
        /** Resolves once the bridge has acted on all that has happened in the room so far. */
        async settled(roomId: string): Promise<void> {
          await homeserver.drained();
          // Nothing that crosses, but it waits its turn in the room's lane.
          const marker = { ...eventIn(roomId, "marker"), type: "m.call.hangup" };
          await homeserver.pushTransaction(marker.event_id, [marker]);
          const acted = (line: string): boolean =>
            line.includes(marker.event_id) && line.includes("left out");
          await waitFor(() => bridge.log.some(acted), "the room's events to be handled");
        },
      };
    },
    /** As a process; on the same database as `start`. */
    async startProcess(options: Options = {}) {
      const bridge = await startBridgeProcess({
        homeserver,
        prosody,
        folder: folder.path,
        database: database.address,
        ...options,
      });
      running.add(bridge.kill);
      heard = () => bridge.output().split("\n");
      return bridge;
    },
    /** Juliet opens a direct chat with an XMPP user. @returns the room, once it is the pair's. */
    async openChat(ghost: string = romeoGhost): Promise<string> {
      const roomId = juliet.createRoom({ invite: [ghost], is_direct: true });
      // Joining comes first, so the membership alone does not tell that the bridge is done with the invitation.
      const begun = (line: string): boolean => line.includes("conversation begins") && line.includes(roomId);
      await waitFor(() => heard().some(begun), `${ghost} to begin a conversation`);
      return roomId;
    },
    /** Romeo writes first. @returns the room, once Juliet is in it. */
    async acceptChat(): Promise<string> {
      await romeo.sendText(julietJid, "O, speak again");
      const roomId = await waitFor(() => juliet.invites()[0], "Juliet to be invited");
      juliet.join(roomId);
      await waitFor(() => juliet.received(roomId).length === 1, "the first message");
      return roomId;
    },
    memberships,
    /** What Romeo has received, once it is `count` messages or more. */
    romeoHas: (count: number): Promise<string[]> =>
      waitFor(() => romeo.bodies().length >= count && romeo.bodies(), `${count} messages to Romeo`),
    /** What Juliet has received in the room, once it is `count` messages or more. */
    julietHas: (roomId: string, count: number): Promise<string[]> =>
      waitFor(
        () => juliet.received(roomId).length >= count && juliet.received(roomId),
        `${count} messages to Juliet`,
      ),
  };

  function memberships(roomId: string): Map<string, string> {
    return homeserver.rooms.all().find(({ id }) => id === roomId)?.members ?? new Map();
  }
}
