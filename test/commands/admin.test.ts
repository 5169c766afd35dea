import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createAdminCommands, loadBlocks } from "../../src/commands/admin.ts";
import type { Caller } from "../../src/commands/command.ts";
import { canonicalList, levelOf } from "../../src/config/permissions.ts";
import { createAddresses } from "../../src/mapping/addresses.ts";
import type { RoomId, UserId } from "../../src/matrix/ids.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { BareJid, FullJid } from "../../src/xmpp/jid.ts";
import { createLogLines } from "../support/log-lines.ts";

const component = "bridge.xmpp.example" as BareJid;
const addresses = createAddresses({
  homeserverDomain: "hs.example",
  component,
  userPrefix: "_xmpp_",
  digest: (text) => text,
});
const romeo = "romeo@xmpp.example" as BareJid;
const escalus: Caller = { network: "matrix", userId: "@escalus:hs.example" as UserId, level: "admin" };

async function setScene(t: TestContext) {
  const store = openSqliteStore({ path: ":memory:", now: () => 1000 });
  t.after(store.close);
  const configured = canonicalList({
    "*": "user",
    "@escalus:hs.example": "admin",
    "Prince@Xmpp.example": "admin",
    "@tybalt:hs.example": "block",
  });
  const permissions = { ...configured };
  let putOut = 0;
  const commands = createAdminCommands({
    ...store,
    addresses,
    component,
    linked: { all: () => [], ofMuc: () => undefined, ofRoom: () => undefined },
    targets: {
      person: async (text) =>
        text.startsWith("@")
          ? { network: "xmpp", jid: romeo }
          : { network: "matrix", userId: "@juliet:hs.example" as UserId },
    },
    roomStates: { of: async () => Promise.reject(new Error("not asked")) },
    permissions,
    configured,
    onBlocks: async () => undefined,
    async putOutBlocked() {
      putOut += 1;
    },
    now: () => 1000,
    log: createLogLines().log,
  });
  const say = async (name: string, who?: string): Promise<string> => {
    const command = commands.find((candidate) => candidate.name === name);
    if (!command) throw new Error(`no command ${name}`);
    return (await command.run(escalus, { who })).text;
  };
  return { store, say, permissions, configured, putOut: () => putOut };
}

test("whoever is blocked is out at once, on both networks, and let in again when that is taken back", async (t) => {
  const { say, permissions, putOut } = await setScene(t);
  assert.equal(
    await say("block", "Tybalt@Xmpp.example"),
    "tybalt@xmpp.example is blocked from now on, and out of all rooms. To undo it: unblock tybalt@xmpp.example",
  );
  assert.equal(levelOf(permissions, "tybalt@xmpp.example/phone"), "block");
  assert.equal(putOut(), 1);
  assert.match(await say("users"), /^• tybalt@xmpp\.example \(by @escalus:hs\.example\)$/m);
  assert.equal(await say("unblock", "tybalt@xmpp.example"), "tybalt@xmpp.example may use the bridge.");
  assert.equal(levelOf(permissions, "tybalt@xmpp.example"), "user");
});

test("who stands for somebody of the other network means that person", async (t) => {
  const { say, permissions } = await setScene(t);
  assert.match(
    await say("block", "@_xmpp_romeo=40xmpp.example:hs.example"),
    /^romeo@xmpp\.example is blocked/,
  );
  assert.match(await say("block", `juliet%hs.example@${component}`), /^@juliet:hs\.example is blocked/);
  assert.equal(levelOf(permissions, romeo), "block");
  assert.equal(levelOf(permissions, "@juliet:hs.example"), "block");
});

test("nobody blocks themselves, an administrator or the bridge, and what is no address is told apart", async (t) => {
  const { say, store } = await setScene(t);
  await assert.rejects(say("block", "@escalus:hs.example"), /That would block yourself/);
  await assert.rejects(say("block", "prince@xmpp.example"), /is an administrator by configuration/);
  for (const own of [component, "@_xmpp_bot:hs.example"])
    await assert.rejects(say("block", own), /That is the bridge itself/);
  for (const wrong of ["@nobody", "a b", ""]) await assert.rejects(say("block", wrong), /Name an MXID/);
  assert.deepEqual(await store.blocks.all(), []);
});

test("who stays blocked is told by what", async (t) => {
  const { say } = await setScene(t);
  await say("block", "hs.example");
  assert.equal(
    await say("unblock", "@nurse:hs.example"),
    "@nurse:hs.example stays blocked, since hs.example is. To undo that: unblock hs.example",
  );
  await say("unblock", "hs.example");
  assert.equal(
    await say("unblock", "@tybalt:hs.example"),
    "No command blocks @tybalt:hs.example, but the configuration does.",
  );
});

test("blocks outlive a restart, and what the configuration says more closely counts more", async (t) => {
  const { say, store, configured } = await setScene(t);
  await say("block", "hs.example");
  const anew = { ...configured };
  await loadBlocks({ permissions: anew, configured, blocks: store.blocks });
  assert.equal(levelOf(anew, "@nurse:hs.example"), "block");
  assert.equal(levelOf(anew, "@escalus:hs.example"), "admin");
});

test("users lists who converses, and who is in rooms of the other network", async (t) => {
  const { say, store } = await setScene(t);
  await store.guests.save({
    roomId: "!cafe:hs.example" as RoomId,
    address: `#cafe%hs.example@${component}` as BareJid,
    jid: `${romeo}/phone` as FullJid,
    nick: "Romeo",
    ghost: addresses.ghostOf(romeo),
  });
  assert.equal((await say("users")).split("\n")[1], `• ${romeo}: one room of the other network`);
});
