/** The demonstration on a real Synapse and a real Prosody, with Causeway as its operator runs it. */
import xml from "@xmpp/xml";
import { step } from "../scripts/progress.mjs";
import { startStage } from "../test/servers/stage.ts";
import { meetInRooms } from "./rooms.ts";
import {
  bodyOfLine,
  contentOfLine,
  type Line,
  lineOfBody,
  lineOfContent,
  type Stage,
  sameLine,
} from "./stage.ts";

const ghost = "@_xmpp_romeo=40xmpp.test:hs.test";
const julietAcross = "juliet%hs.test@bridge.xmpp.test";
const password = (name: string): string => `${name}-password`;

type Servers = Awaited<ReturnType<typeof startStage>>;

const invitationTo = ({ synapse, prosody, bridge }: Servers): string => `
Everything stays up now, so join in with any client (nothing here uses TLS; it is all on this machine):

  Matrix   homeserver   ${synapse.url}
           user         @juliet:${synapse.domain}
           password     ${password("juliet")}
           write to     ${ghost}
           (any other JID works the same way: the bridge writes "@" as "=40")
           join         #_xmpp_orchard=40conference.xmpp.test:hs.test

  XMPP     JID          romeo@${prosody.domain}
           password     ${password("romeo")}
           server       ${prosody.host}, port ${prosody.c2sPort} (set both by hand; allow unencrypted)
           write to     ${julietAcross}
           join         #balcony%hs.test@bridge.xmpp.test

  Health   ${bridge.adminUrl}/health/ready
  Log      ${bridge.logFile}
`;

export async function startRealStage(): Promise<Stage> {
  const servers = await step("Synapse, Prosody and Causeway start", () => startStage());
  try {
    const [juliet, romeo] = await step("Juliet and Romeo get their accounts", () =>
      Promise.all([
        servers.matrixUser("juliet", password("juliet")),
        servers.xmppUser("romeo", password("romeo")),
      ]),
    );
    let roomId = "";
    const messagesIn = async (): Promise<Line[]> => {
      const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/messages?dir=f&limit=1000`;
      const { chunk } = (await juliet.request("GET", path)) as { chunk: typeof juliet.events };
      return chunk
        .filter(({ type, sender }) => type === "m.room.message" && sender !== juliet.userId)
        .map(({ content }) => lineOfContent(content));
    };
    return {
      servers: "a real Synapse and a real Prosody",
      juliet: {
        name: "Juliet",
        network: "Matrix",
        address: juliet.userId,
        addressAcross: julietAcross,
        send: async (line) => void (await juliet.send(roomId, "m.room.message", contentOfLine(line))),
        waitFor: async (line, timeoutMs) =>
          void (await juliet.waitFor(
            ({ type, sender, content }) =>
              type === "m.room.message" && sender === ghost && sameLine(lineOfContent(content), line),
            timeoutMs,
          )),
        seen: messagesIn,
      },
      romeo: {
        name: "Romeo",
        network: "XMPP",
        address: "romeo@xmpp.test",
        addressAcross: ghost,
        send: (line) =>
          romeo.send(xml("message", { type: "chat", to: julietAcross }, xml("body", {}, bodyOfLine(line)))),
        waitFor: async (line, timeoutMs) =>
          void (await romeo.waitFor((stanza) => stanza.getChildText("body") === bodyOfLine(line), timeoutMs)),
        seen: async () =>
          romeo.messages.flatMap((stanza) => {
            const body = stanza.is("message") ? stanza.getChildText("body") : null;
            return body === null ? [] : [lineOfBody(body)];
          }),
      },
      open: async () => {
        roomId = await juliet.createRoom({ is_direct: true, invite: [ghost] });
      },
      meetInRooms: (print) => meetInRooms({ juliet, romeo, print }),
      invitation: invitationTo(servers),
      stop: () => step("Causeway, Synapse and Prosody stop", servers.stop),
    };
  } catch (error) {
    await servers.stop();
    throw error;
  }
}
