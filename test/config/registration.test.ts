import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { registrationOf, registrationYamlOf } from "../../src/config/registration.ts";
import { sampleConfig } from "./sample.ts";

const expected = {
  id: "causeway",
  url: "http://127.0.0.1:9555",
  as_token: "as-token-0123456789",
  hs_token: "hs-token-0123456789",
  sender_localpart: "_xmpp_bot",
  rate_limited: false,
  receive_ephemeral: true,
  "de.sorunome.msc2409.push_ephemeral": true,
  protocols: ["xmpp"],
  namespaces: {
    users: [{ exclusive: true, regex: "^@_xmpp_.*:hs\\.test$" }],
    aliases: [{ exclusive: true, regex: "^#_xmpp_.*:hs\\.test$" }],
    rooms: [],
  },
};

test("the registration claims the namespace, wants ephemeral events and is not limited", () => {
  assert.deepEqual(registrationOf(sampleConfig()), expected);
});

test("its YAML reads back as the same, tokens that look like numbers included", () => {
  assert.deepEqual(parse(registrationYamlOf(sampleConfig())), expected);
  const config = sampleConfig();
  const numeric = { ...config, appservice: { ...config.appservice, asToken: "0123456789012345" } };
  assert.equal(parse(registrationYamlOf(numeric)).as_token, "0123456789012345");
});

test("a server name with a port and a prefix with a dot match themselves only", () => {
  const config = sampleConfig();
  const { namespaces, sender_localpart } = registrationOf({
    ...config,
    homeserver: { ...config.homeserver, domain: "[::1]:8448" },
    appservice: { ...config.appservice, userPrefix: "x.mpp-" },
  });
  assert.equal(sender_localpart, "x.mpp-bot");
  const regex = new RegExp(namespaces.users[0]?.regex ?? "");
  assert.ok(regex.test("@x.mpp-romeo=40montague.example:[::1]:8448"));
  for (const other of [
    "@x_mpp-a:[::1]:8448",
    "@x.mpp-a:1:8448",
    "@x.mpp-a:[::1]:84480",
    "a@x.mpp-a:[::1]:8448",
  ]) {
    assert.ok(!regex.test(other), other);
  }
});
