import assert from "node:assert/strict";
import { test } from "node:test";
import type { UserId } from "../../src/matrix/ids.ts";
import { createFaces } from "../../src/rooms/faces.ts";
import type { Occupant } from "../../src/store/room-records.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { BareJid, FullJid, Jid } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/namespaces.ts";
import { xml } from "../../src/xmpp/stanza.ts";
import { createLogLines } from "../support/log-lines.ts";
import { waitFor } from "../support/wait-for.ts";

const romeo: Occupant = {
  muc: "verona@conference.xmpp.test" as BareJid,
  key: "id-1",
  nick: "Romeo",
  ghost: "@_xmpp_romeo:hs.test" as UserId,
  jid: "verona@conference.xmpp.test/id-1" as Jid,
  affiliation: "none",
  role: "participant",
  isIn: true,
};

function setFaces() {
  const asked: string[] = [];
  const shown: string[] = [];
  const store = openSqliteStore({ path: ":memory:", now: Date.now }).ghostProfiles;
  const faces = createFaces({
    botJid: "bridge.xmpp.test/causeway" as FullJid,
    requests: {
      async requestAll({ from, to }) {
        asked.push(`${from} ${to}`);
        const photo = xml("PHOTO", {}, xml("BINVAL", {}, Buffer.from("a face").toString("base64")));
        const result = xml("iq", { type: "result" }, xml("vCard", { xmlns: NS.vcard }, photo));
        return { result, messages: [] };
      },
    },
    store,
    matrix: { setAvatar: async (ghost, mxc) => void shown.push(`${ghost} ${mxc}`) },
    avatars: { typeOf: () => "image/png", upload: async ({ bytes }) => `mxc://hs.test/${bytes}` },
    now: Date.now,
    log: createLogLines().log,
  });
  return { faces, asked, shown, store };
}

test("an occupant's picture is asked for through the room, once, and is the ghost's", async () => {
  const { faces, asked, shown, store } = setFaces();
  faces.show(romeo);
  faces.hear(romeo, "aa11");
  for (let times = 0; times < 3; times += 1) faces.show(romeo);
  await waitFor(async () => (await store.of(romeo.jid))?.avatarHash === "aa11", "the picture to be noted");
  assert.deepEqual(asked, ["bridge.xmpp.test/causeway verona@conference.xmpp.test/Romeo"]);
  assert.deepEqual(shown, ["@_xmpp_romeo:hs.test mxc://hs.test/a face"]);
  faces.hear(romeo, "");
  faces.show(romeo);
  await waitFor(() => shown.length === 2, "the picture to be taken away");
  assert.deepEqual([asked.length, shown[1]], [1, "@_xmpp_romeo:hs.test "]);
});

test("whoever has an address of their own is not asked through a room", async () => {
  const { faces, asked } = setFaces();
  const open = { ...romeo, jid: "romeo@xmpp.test" as Jid };
  faces.hear(open, "aa11");
  faces.show(open);
  await new Promise(setImmediate);
  assert.deepEqual(asked, []);
});
