import assert from "node:assert/strict";
import { test } from "node:test";
import { createLocks } from "../../src/bridge/locks.ts";
import { type AbsenceDeps, createAbsence } from "../../src/gateway/absence.ts";
import { createRollCall } from "../../src/gateway/roll-call.ts";
import type { RoomId, UserId } from "../../src/matrix/ids.ts";
import { createLog } from "../../src/ops/log.ts";
import type { Guest } from "../../src/store/room-records.ts";
import { IqTimeoutError, StanzaRefusedError } from "../../src/xmpp/client.ts";
import type { BareJid, FullJid } from "../../src/xmpp/jid.ts";
import { waitFor } from "../support/wait-for.ts";

const log = createLog({ level: "error", format: "text", now: Date.now, secrets: [] });
const guest: Guest = {
  roomId: "!cafe:hs.test" as RoomId,
  address: "#cafe%hs.test@bridge.xmpp.test" as BareJid,
  jid: "romeo@xmpp.test/balcony" as FullJid,
  nick: "Romeo",
  ghost: "@_xmpp_romeo=40xmpp.test:hs.test" as UserId,
};
const unavailable = new StanzaRefusedError({ type: "cancel", condition: "service-unavailable" });

/** One room with its guests, and what becomes of them. */
function scene(guests: Guest[]) {
  const done: string[] = [];
  const rooms = {
    guestAt: (_: BareJid, jid: string) => guests.find((one) => one.jid === jid),
    sessionsOf: () => guests,
    async suspend({ jid }: Guest) {
      done.push(`suspended ${jid}`);
      guests.splice(0, guests.length, ...guests.filter((one) => one.jid !== jid));
    },
  };
  const absence = createAbsence({
    rooms: rooms as unknown as AbsenceDeps["rooms"],
    locks: createLocks(),
    departure: {
      leaveMatrix: async (_room, ghost, reason) => void done.push(`${ghost} leaves: ${reason}`),
    },
    store: {
      guests: { remove: async (_: RoomId, jid: FullJid) => void done.push(`forgot ${jid}`) },
    } as unknown as AbsenceDeps["store"],
    graceMs: 20,
    log,
  });
  return { absence, done };
}

test("a guest who does not come back leaves after a while", async () => {
  const { absence, done } = scene([guest]);
  absence.begin(guest);
  await waitFor(() => done.length === 3, "the ghost to leave");
  assert.deepEqual(done, [
    "suspended romeo@xmpp.test/balcony",
    "@_xmpp_romeo=40xmpp.test:hs.test leaves: Disconnected",
    "forgot romeo@xmpp.test/balcony",
  ]);
  await absence.stop();
});

test("a guest who has entered again is not taken for the one who was away", async () => {
  const again = { ...guest };
  const { absence, done } = scene([again]);
  absence.begin(guest);
  await absence.stop();
  assert.deepEqual(done, []);
});

test("who stays away while the bridge is stopped is remembered, so that the next run asks", async () => {
  const { absence, done } = scene([guest]);
  absence.begin(guest);
  await absence.stop();
  assert.deepEqual(done, ["suspended romeo@xmpp.test/balcony"]);
});

/** What becomes of a guest whose client answers a ping like this, and takes an empty message or not. */
async function rollCallOf(ping: () => Promise<never>, send: () => Promise<undefined>): Promise<boolean> {
  let isGone = false;
  let asked = 0;
  const call = createRollCall({
    rooms: { all: () => [guest], guestAt: () => guest },
    requests: {
      request: async () => {
        asked += 1;
        return ping();
      },
    },
    xmpp: { send },
    onUnreachable: () => {
      isGone = true;
    },
    log,
  });
  call.begin();
  await waitFor(() => asked === 1, "the ping");
  await call.stop();
  return isGone;
}

test("a client is gone where neither pings nor messages reach it, and there where it only knows no pings", async () => {
  const refuse = async (): Promise<never> => {
    throw unavailable;
  };
  const timeOut = async (): Promise<never> => {
    throw new IqTimeoutError();
  };
  const take = async (): Promise<undefined> => undefined;
  assert.equal(await rollCallOf(refuse, refuse), true);
  assert.equal(await rollCallOf(refuse, take), false);
  assert.equal(await rollCallOf(timeOut, refuse), false);
});
