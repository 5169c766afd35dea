import assert from "node:assert/strict";
import { test } from "node:test";
import { waitFor } from "../support/wait-for.ts";
import { ghostOf, romeoGhost, setScene } from "./scene.ts";

const orchard = "#_xmpp_orchard=40conference.xmpp.test:hs.test";

/** As much like an address as a token can be. */
const hsToken = "hs-token@0123456789";

async function setLookUps(t: Parameters<typeof setScene>[0]) {
  const scene = await setScene(t, { hsToken });
  await scene.start();
  const get = async (path: string): Promise<[number, object]> => {
    const { status, body } = await scene.homeserver.call("GET", `/_matrix/app/v1/thirdparty/${path}`);
    return [status, JSON.parse(body)];
  };
  return { ...scene, get };
}
const query = (fields: Record<string, string>): string => new URLSearchParams(fields).toString();
const found = (key: "userid" | "alias", id: string, jid: string) => [
  200,
  [{ [key]: id, protocol: "xmpp", fields: { jid } }],
];

test("XMPP is described as a network with one field, which takes an address", async (t) => {
  const { get } = await setLookUps(t);
  const [status, { icon, ...rest }] = (await get("protocol/xmpp")) as [number, { icon: string }];
  assert.match(icon, /^mxc:\/\/hs\.test\/\w+$/);
  assert.deepEqual(
    [status, rest],
    [
      200,
      {
        user_fields: ["jid"],
        location_fields: ["jid"],
        field_types: { jid: { regexp: "[^\\s@/]+@[^\\s@/]+", placeholder: "romeo@montague.example" } },
        instances: [{ desc: "XMPP", fields: {}, network_id: "xmpp" }],
      },
    ],
  );
});

test("an XMPP address finds ghost and alias, and each of them finds the address", async (t) => {
  const { get, homeserver } = await setLookUps(t);
  const before = homeserver.requests.length;
  const romeo = found("userid", romeoGhost, "romeo@xmpp.test");
  assert.deepEqual(await get(`user/xmpp?${query({ jid: "Romeo@xmpp.test/balcony" })}`), romeo);
  assert.deepEqual(await get(`user/xmpp?${query({ username: "romeo", domain: "xmpp.test" })}`), romeo);
  assert.deepEqual(await get(`user/xmpp?${query({ search: "xmpp:romeo@xmpp.test" })}`), romeo);
  assert.deepEqual(await get(`user?${query({ userid: romeoGhost })}`), romeo);
  const room = found("alias", orchard, "orchard@conference.xmpp.test");
  assert.deepEqual(await get(`location/xmpp?${query({ jid: "orchard@conference.xmpp.test" })}`), room);
  assert.deepEqual(await get(`location?${query({ alias: orchard })}`), room);
  const juliet = "juliet%hs.test@bridge.xmpp.test";
  assert.deepEqual(
    await get(`user/xmpp?${query({ jid: juliet })}`),
    found("userid", "@juliet:hs.test", juliet),
  );
  // Looking for somebody makes nobody.
  assert.equal(homeserver.requests.length, before);
});

test("a ghost of a shortened name finds the address that it was made for", async (t) => {
  const { get, romeo, homeserver } = await setLookUps(t);
  const local = "r".repeat(300);
  const [, [{ userid }]] = (await get(`user/xmpp?${query({ jid: `${local}@xmpp.test` })}`)) as [
    number,
    [{ userid: string }],
  ];
  assert.equal(Buffer.byteLength(userid), 255);
  assert.deepEqual(await get(`user?${query({ userid })}`), [200, []]);
  const stanza = romeo.chat("juliet%hs.test@bridge.xmpp.test", "hello");
  stanza.attrs.from = `${local}@xmpp.test/balcony`;
  await romeo.send(stanza);
  const made = (): boolean => homeserver.rooms.all().some(({ members }) => members.has(userid));
  await waitFor(made, "the room of the long name");
  assert.deepEqual(await get(`user?${query({ userid })}`), found("userid", userid, `${local}@xmpp.test`));
});

test("what is not found is an empty list or 404, and nothing malformed is a fault", async (t) => {
  const { get } = await setLookUps(t);
  for (const path of [
    `user/xmpp?${query({ jid: "nonsense" })}`,
    "user/xmpp",
    "user/xmpp?jid=&jid=romeo@xmpp.test",
    `user/xmpp?${query({ access_token: hsToken })}`,
    `user?${query({ userid: "@juliet:hs.test" })}`,
    `user?${query({ userid: ghostOf("==0") })}`,
    `location?${query({ alias: "#cafe:hs.test" })}`,
  ]) {
    assert.deepEqual(await get(path), [200, []], path);
  }
  for (const path of [
    "protocol/irc",
    "protocol/__proto__",
    "user/irc?jid=romeo@xmpp.test",
    "location/irc",
    "location/xmpp",
    `location/xmpp?${query({ jid: "nonsense" })}`,
    "user",
    "user?userid=romeo",
    "user?userid=%ff",
    "location?alias=%00",
    "location",
  ]) {
    const [status, { errcode }] = (await get(path)) as [number, { errcode: string }];
    assert.deepEqual([status, errcode], [404, "M_NOT_FOUND"], path);
  }
});
