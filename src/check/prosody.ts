/** The checks of Prosody: that mod_rest is there, takes the bridge's credentials and stanzas, and reaches it. */
import { setTimeout as delay } from "node:timers/promises";
import { callbackUrlOf } from "../config/prosody.ts";
import type { Config } from "../config/schema.ts";
import { type HttpAnswer, NoAnswerError } from "../http/client.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, parseStanza, readError, serialize, xml } from "../xmpp/stanza.ts";
import { fail, type Ground, inTime, type Outcome, ok, reasonOfSilence, skip } from "./check.ts";

const installIt =
  "install the component that `causeway prosody-config` prints (docs/operators.md says where), and restart Prosody";

function authorizationOf({ xmpp: { restAuth } }: Config): { authorization?: string } {
  if (restAuth === undefined) return {};
  if ("bearer" in restAuth) return { authorization: `Bearer ${restAuth.bearer}` };
  const basic = Buffer.from(`${restAuth.username}:${restAuth.password}`).toString("base64");
  return { authorization: `Basic ${basic}` };
}

const post = ({ prosody, config }: Ground, body: string, isAuthorized = true): Promise<HttpAnswer> =>
  prosody.request({
    method: "POST",
    path: "",
    headers: {
      "content-type": "application/xmpp+xml",
      accept: "application/xmpp+xml",
      ...(isAuthorized && authorizationOf(config)),
    },
    body,
  });

/** mod_rest asks for credentials before it reads, so this has no effect. */
const noStanza = "no stanza";

export async function prosodyAnswers(ground: Ground): Promise<Outcome> {
  try {
    await post(ground, noStanza, false);
    return ok();
  } catch (error) {
    if (!(error instanceof NoAnswerError)) throw error;
    return fail(
      `Prosody does not answer at ${ground.config.xmpp.restUrl} (${reasonOfSilence(error)})`,
      "start it, or correct xmpp.restUrl; Prosody's HTTP listens on port 5280 of its own machine by default",
    );
  }
}

export async function modRestIsThere(ground: Ground): Promise<Outcome> {
  const { component, restUrl } = ground.config.xmpp;
  const { status, headers } = await post(ground, noStanza, false);
  if (status === 404) {
    return fail(
      `there is no mod_rest at ${restUrl} (status 404)`,
      `Prosody serves it once the component is loaded with the module mod_rest (its log says if it is not), and only to the host that http_host of the component names: ${installIt}`,
    );
  }
  const realm = /realm="([^"/]+)\/rest"/.exec(headers["www-authenticate"] ?? "")?.[1];
  if (realm !== undefined && realm !== component) {
    return fail(
      `at ${restUrl} answers ${realm}, not the component ${component}`,
      `http_host of the two must differ, and the host in xmpp.restUrl be that of ${component}`,
    );
  }
  // 400 and 415 are what a mod_rest without authentication answers, of December 2019.
  if (status === 401 || status === 400 || status === 415) return ok();
  return fail(
    `what answers at ${restUrl} is no mod_rest (status ${status})`,
    "set xmpp.restUrl to Prosody's mod_rest, such as http://127.0.0.1:5280/rest",
  );
}

export async function credentialsAreTaken(ground: Ground): Promise<Outcome> {
  const { component, restAuth } = ground.config.xmpp;
  const { status } = await post(ground, noStanza);
  switch (status) {
    case 401:
      return fail(
        restAuth ? "mod_rest does not take xmpp.restAuth" : "mod_rest asks for credentials",
        `set xmpp.restAuth to { "username": "${component}", "password": the component's component_secret }, and ${installIt}`,
      );
    case 403:
      return fail(
        "mod_rest refuses xmpp.restAuth",
        `its username must be ${component} and its password what component_secret is in the component that Prosody has loaded: ${installIt}`,
      );
    case 500:
      return fail(
        "mod_rest breaks over the credentials (status 500)",
        "mod_rest of 2025-04 (Debian trixie and bookworm-backports) does so with those of any component: install one of 2026 (docs/operators.md says how). Else the component has no component_secret; Prosody's log says which",
      );
    default:
      return ok();
  }
}

/** As a Matrix user who cannot be, and with what mod_rest refuses, but only after it has looked at the sender. */
export async function ghostMaySend(ground: Ground): Promise<Outcome> {
  const { component, restAuth } = ground.config.xmpp;
  if (restAuth === undefined) return skip("a mod_rest without authentication takes every sender");
  const stanza = xml("iq", {
    type: "get",
    from: `causeway-check@${component}`,
    to: component,
    id: ground.newId(),
  });
  const { status } = await post(ground, serialize(stanza));
  if (status === 403) {
    return fail(
      `mod_rest does not let the bridge send from addresses on ${component} (status 403)`,
      "xmpp.component must be the component whose secret xmpp.restAuth holds",
    );
  }
  if (status >= 500) return fail(`mod_rest answers ${status} to a stanza`, "see Prosody's log");
  return ok();
}

const otherSecret = fail(
  "Prosody shows the bridge another secret than xmpp.callbackSecret",
  `rest_callback_url must hold it: ${installIt}`,
);

const callbackAdvice = (config: Config): string =>
  `rest_callback_url must lead to ${callbackUrlOf(config).replace(/\/\/[^@]*@/, "//")} and be reachable from Prosody's machine (else set xmpp.callbackUrl): ${installIt}`;

function readReply({ status, body }: HttpAnswer): Element | undefined {
  if (status !== 200) return undefined;
  try {
    return parseStanza(body);
  } catch {
    return undefined;
  }
}

const messageLimitMs = 5000;

/** COMPAT(mod_rest of 2019-12-30): sends the result of an IQ to ourselves round for ever, so this is a message. */
async function messageReachesBridge(ground: Ground): Promise<Outcome> {
  const { config, standIn, newId } = ground;
  const { component } = config.xmpp;
  if (!standIn.isOpen()) {
    return skip("with a mod_rest without authentication only the bridge itself can tell, at /health/ready");
  }
  const id = newId();
  // It answers 500 to messages that it has delivered.
  await post(ground, serialize(xml("message", { from: component, to: component, id })));
  for (const end = Date.now() + messageLimitMs; Date.now() < end; await delay(20)) {
    if (standIn.heard.ids.has(id)) return ok();
    if (standIn.heard.wrongCredentials) return otherSecret;
  }
  return fail("Prosody took a message that did not reach the bridge", callbackAdvice(config));
}

/** An IQ from the bridge to itself travels through mod_rest, Prosody and the callback, and its answer back. */
export async function prosodyReachesBridge(ground: Ground): Promise<Outcome> {
  const { config, standIn, newId } = ground;
  if (config.xmpp.restAuth === undefined) return messageReachesBridge(ground);
  const { component } = config.xmpp;
  const id = newId();
  const ping = xml(
    "iq",
    { type: "get", from: component, to: component, id },
    xml("ping", { xmlns: NS.ping }),
  );
  const answer = await inTime(post(ground, serialize(ping)));
  if (standIn.heard.ids.has(id)) return ok();
  if (!answer) return fail("Prosody tried to reach the bridge and got nowhere", callbackAdvice(config));
  const reply = readReply(answer);
  const condition = reply?.attrs.type === "error" ? readError(reply).condition : undefined;
  if (standIn.heard.wrongCredentials || condition === "not-authorized") {
    return otherSecret;
  }
  if (condition !== undefined) {
    return fail(`Prosody does not reach the bridge (${condition})`, callbackAdvice(config));
  }
  if (!reply) {
    return fail(
      `Prosody took a ping to the component and did not answer it (status ${answer.status})`,
      `the component must be served by mod_rest alone, with its rest_callback_url: ${installIt}`,
    );
  }
  if (!standIn.isOpen()) return ok();
  return fail("the callback was answered by something that is not this bridge", callbackAdvice(config));
}
