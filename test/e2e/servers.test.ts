/** Proves that the harness works before any other end-to-end test relies on it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import xml from "@xmpp/xml";
import { createInbox } from "../servers/inbox.ts";
import { serversMissing } from "../servers/location.ts";
import { createMatrixUser } from "../servers/matrix-user.ts";
import { type Prosody, startProsody } from "../servers/prosody.ts";
import { type Synapse, startSynapse } from "../servers/synapse.ts";
import { connectXmpp } from "../servers/xmpp-user.ts";

const skip = serversMissing() ?? false;
const credentials = Buffer.from("bridge.xmpp.test:secret").toString("base64");

const callbacks = createInbox<string>("the callback", String);
const callbackServer = createServer((request, response) => {
  void text(request).then((body) => {
    if (request.method === "POST") callbacks.add(body);
    response.writeHead(202).end();
  });
});

let prosody: Prosody;
let synapse: Synapse;

const romeoAccount = () => ({
  host: prosody.host,
  port: prosody.c2sPort,
  domain: prosody.domain,
  username: "romeo",
  password: "montague",
});

before(async () => {
  if (skip) return;
  callbackServer.listen(0, "127.0.0.1");
  await once(callbackServer, "listening");
  const { port } = callbackServer.address() as AddressInfo;
  const componentConfig = `
    Component "bridge.xmpp.test" "rest"
      component_secret = "secret"
      http_host = "127.0.0.1"
      rest_callback_url = "http://127.0.0.1:${port}/callback"`;
  [prosody, synapse] = await Promise.all([startProsody({ componentConfig }), startSynapse()]);
  await prosody.addUser("romeo", "montague");
});

after(async () => {
  callbackServer.close();
  await Promise.all([prosody?.stop(), synapse?.stop()]);
});

function post(stanza: string): Promise<Response> {
  return fetch(prosody.restUrl, {
    method: "POST",
    headers: { authorization: `Basic ${credentials}`, "content-type": "application/xmpp+xml" },
    body: stanza,
  });
}

test("a stanza posted to mod_rest reaches the XMPP user, whose answer reaches the callback", {
  skip,
}, async () => {
  const romeo = await connectXmpp(romeoAccount());
  const sent = await post(
    "<message to='romeo@xmpp.test' from='juliet@bridge.xmpp.test' type='chat'><body>Art thou not Romeo?</body></message>",
  );
  assert.equal(sent.status, 202);
  const received = await romeo.waitFor((stanza) => stanza.is("message"));
  assert.equal(received.attrs.from, "juliet@bridge.xmpp.test");
  assert.equal(received.getChildText("body"), "Art thou not Romeo?");

  const answer = xml("message", { to: "juliet@bridge.xmpp.test", type: "chat" }, xml("body", {}, "Neither"));
  await romeo.send(answer);
  assert.match(await callbacks.waitFor((stanza) => stanza.includes("<body>")), /<body>Neither<\/body>/);
  await romeo.stop();
});

test("a message between two Matrix users arrives in both timelines", { skip }, async () => {
  const [julietAccount, mercutioAccount] = await Promise.all([
    synapse.registerUser("juliet", "capulet"),
    synapse.registerUser("mercutio", "queen-mab"),
  ]);
  const juliet = await createMatrixUser({ url: synapse.url, ...julietAccount });
  const mercutio = await createMatrixUser({ url: synapse.url, ...mercutioAccount });
  const roomId = await juliet.createRoom({ invite: [mercutio.userId] });
  assert.equal(await mercutio.waitForInvite("@juliet:hs.test"), roomId);
  await mercutio.join(roomId);
  const eventId = await juliet.sendText(roomId, "Good night");
  for (const user of [juliet, mercutio]) {
    const event = await user.waitFor((candidate) => candidate.event_id === eventId);
    assert.deepEqual(
      [event.room_id, event.sender, event.content],
      [roomId, "@juliet:hs.test", { msgtype: "m.text", body: "Good night" }],
    );
    assert.deepEqual([...user.joinedRooms], [roomId]);
    assert.deepEqual([...user.invites], []);
  }
  await Promise.all([juliet.stop(), mercutio.stop()]);
});

test("users and rooms are still there after both servers were killed and started again", {
  skip,
}, async () => {
  const account = await synapse.registerUser("romeo", "montague");
  const user = await createMatrixUser({ url: synapse.url, ...account });
  const roomId = await user.createRoom();
  await Promise.all([prosody.kill(), synapse.kill()]);
  await assert.rejects(post("<presence/>"));
  await Promise.all([prosody.start(), synapse.start()]);

  const eventId = await user.sendText(roomId, "I am back");
  await user.waitFor((event) => event.event_id === eventId);
  await user.stop();
  const romeo = await connectXmpp(romeoAccount());
  assert.equal(romeo.jid, "romeo@xmpp.test/test");
  await romeo.stop();
});
