/** The demonstration where there are no real servers: Causeway between the stand-ins that its tests use. */
import { startBridge } from "../test/support/bridge.ts";
import { startFakeHomeserver } from "../test/support/fake-homeserver.ts";
import { startFakeProsody } from "../test/support/fake-prosody.ts";
import { waitFor } from "../test/support/wait-for.ts";
import {
  bodyOfLine,
  contentOfLine,
  lineOfBody,
  lineOfContent,
  type Person,
  type Stage,
  sameLine,
} from "./stage.ts";

const ghost = "@_xmpp_romeo=40xmpp.test:hs.test";
const julietAcross = "juliet%hs.test@bridge.xmpp.test";

const waitIn =
  (seen: Person["seen"]): Person["waitFor"] =>
  async (line, timeoutMs) => {
    const found = async (): Promise<boolean> => (await seen()).some((each) => sameLine(each, line));
    await waitFor(found, JSON.stringify(line.text), timeoutMs);
  };

export async function startStandInStage(): Promise<Stage> {
  const [homeserver, prosody] = await Promise.all([startFakeHomeserver(), startFakeProsody()]);
  const bridge = await startBridge({ homeserver, prosody });
  await bridge.ready();
  const juliet = homeserver.user("juliet");
  const romeo = prosody.user("romeo");
  let roomId = "";

  const seenByJuliet: Person["seen"] = async () =>
    juliet
      .timeline(roomId)
      .filter(({ type, sender }) => type === "m.room.message" && sender !== juliet.userId)
      .map(({ content }) => lineOfContent(content));
  const seenByRomeo: Person["seen"] = async () => romeo.bodies().map(lineOfBody);

  return {
    servers: "stand-ins for both servers, inside this process",
    juliet: {
      name: "Juliet",
      network: "Matrix",
      address: juliet.userId,
      addressAcross: julietAcross,
      send: async (line) => void juliet.send(roomId, "m.room.message", contentOfLine(line)),
      seen: seenByJuliet,
      waitFor: waitIn(seenByJuliet),
    },
    romeo: {
      name: "Romeo",
      network: "XMPP",
      address: romeo.jid,
      addressAcross: ghost,
      send: (line) => romeo.sendText(julietAcross, bodyOfLine(line)),
      seen: seenByRomeo,
      waitFor: waitIn(seenByRomeo),
    },
    open: async () => {
      roomId = juliet.createRoom({ is_direct: true, invite: [ghost] });
    },
    invitation: undefined,
    async stop() {
      await bridge.stop();
      await Promise.all([homeserver.close(), prosody.stop()]);
    },
  };
}
