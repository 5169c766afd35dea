import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createAddresses } from "../../src/mapping/addresses.ts";
import { readMucInfo } from "../../src/mapping/muc-info.ts";
import type { RoomId } from "../../src/matrix/ids.ts";
import { createOccupants } from "../../src/rooms/occupants.ts";
import type { RoomLink } from "../../src/store/room-records.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { BareJid } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/namespaces.ts";
import { xml } from "../../src/xmpp/stanza.ts";
import { createLogLines } from "../support/log-lines.ts";

const muc = "verona@conference.xmpp.test" as BareJid;
const link: RoomLink = {
  roomId: "!verona:hs.test" as RoomId,
  muc,
  kind: "portal",
  mode: "puppets",
  password: undefined,
  linkedBy: undefined,
  archiveId: undefined,
  isAnonymous: false,
};

/** A room that shows real addresses to all, as does what its archive has of Mercutio. */
function setRoom(t: TestContext, features: string[]) {
  const store = openSqliteStore({ path: ":memory:", now: Date.now });
  const feature = (name: string) => xml("feature", { var: name });
  const info = readMucInfo(xml("query", {}, ...["muc_nonanonymous", ...features].map(feature)));
  const occupants = createOccupants({
    addresses: createAddresses({
      homeserverDomain: "hs.test",
      component: "bridge.xmpp.test" as BareJid,
      userPrefix: "_xmpp_",
      digest: () => "",
    }),
    links: { ofMuc: () => link } as never,
    infos: { of: async () => info, ask: async () => info },
    members: {
      enter: async () => {},
      exit: async () => {},
      unban: async () => {},
      isThere: async () => true,
    },
    store: store.occupants,
    lazyAbove: 200,
    faces: { hear: () => {}, show: () => {} },
    onRank: () => {},
    log: createLogLines().log,
  });
  t.after(async () => {
    occupants.stop();
    await store.close();
  });
  /** @param shown what a message in the archive says is its sender's address. */
  const archived = (shown: string) =>
    xml(
      "message",
      { from: `${muc}/Mercutio`, type: "groupchat" },
      xml("x", { xmlns: NS.mucUser }, xml("item", { jid: shown })),
      xml("occupant-id", { xmlns: NS.occupantId, id: "id-1" }),
    );
  return { occupants, archived };
}

test("what an archive has from when the room hid addresses is not by whom its sender says", async (t) => {
  const { occupants, archived } = setRoom(t, [NS.occupantId]);
  const { jid } = await occupants.speakerOf(link, archived("romeo@xmpp.test"));
  assert.equal(jid, `${muc}/id-1`);
  await occupants.onPresence(link, {
    room: muc,
    nick: "Mercutio",
    isUnavailable: false,
    affiliation: "none",
    role: "participant",
    statuses: new Set(),
    realJid: "mercutio@xmpp.test/street" as never,
    occupantId: "id-1",
  });
  const known = await occupants.speakerOf(link, archived("romeo@xmpp.test"));
  assert.equal(known.jid, "mercutio@xmpp.test");
});

test("where a room gives no occupant IDs, its archive says whose a message is", async (t) => {
  const { occupants, archived } = setRoom(t, []);
  const { jid } = await occupants.speakerOf(link, archived("mercutio@xmpp.test/street"));
  assert.equal(jid, "mercutio@xmpp.test");
});
