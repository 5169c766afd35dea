/** What there is to see on the status page: conversations, a linked room with a hostile name, and parked messages. */
import type { TestContext } from "node:test";
import type { Report } from "../../src/ops/status/report.ts";
import { waitFor } from "../support/wait-for.ts";
import { isSend, julietJid, setScene } from "./scene.ts";

export const token = "0123456789-token-of-the-status-page";
export const hostileName = `Orchard <img src=x onerror="document.title='pwned'"> & walls`;
export const bearer = { authorization: `Bearer ${token}` };
const refusal = { status: 400, body: JSON.stringify({ errcode: "M_BAD_JSON", error: "<b>no</b>" }) };

export const reportOf = async (adminUrl: string, query = ""): Promise<Report> =>
  (await fetch(`${adminUrl}/status.json${query}`, { headers: bearer })).json() as Promise<Report>;

export async function setStatusScene(t: TestContext) {
  const scene = await setScene(t);
  const orchard = scene.prosody.muc("orchard", { name: hostileName });
  const bridge = await scene.start({ config: { admin: { host: "127.0.0.1", port: 0, token } } });
  const linked = await scene.juliet.joinAlias("#_xmpp_orchard=40conference.xmpp.test:hs.test");
  await waitFor(() => orchard.occupants.has("juliet"), "Juliet to be in the orchard");
  await bridge.settled(linked);
  // The page names a room whose state is known, which is read for whoever comes in.
  orchard.enter("romeo@xmpp.test/balcony", "Romeo");
  const roomId = await scene.acceptChat();
  await waitFor(async () => {
    const [room] = (await reportOf(bridge.adminUrl)).linked.shown;
    return room?.fromXmpp === 1 && room.fromMatrix === 1;
  }, "both people to be counted");
  let isBroken = false;
  scene.homeserver.respond((request) => (isBroken && isSend(request) ? refusal : undefined));
  return {
    ...scene,
    ...bridge,
    roomId,
    linked,
    /** Romeo writes while the homeserver takes nothing. */
    async park(...bodies: string[]): Promise<void> {
      isBroken = true;
      const parked = async () => (await reportOf(bridge.adminUrl)).counts.parked;
      const before = await parked();
      for (const body of bodies) await scene.romeo.sendText(julietJid, body);
      await waitFor(async () => (await parked()) === before + bodies.length, "the messages to be parked");
      isBroken = false;
    },
  };
}
