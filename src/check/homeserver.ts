/** The checks of the homeserver: that it is there and the right one, knows the bridge, and reaches it. */
import { createHash } from "node:crypto";
import type { HttpAnswer } from "../http/client.ts";
import { NoAnswerError } from "../http/client.ts";
import { createAddresses } from "../mapping/addresses.ts";
import { isObject, readString } from "../matrix/event.ts";
import { domainOf, localpartOf, parseUserId, type UserId } from "../matrix/ids.ts";
import { explainPing } from "../matrix/ping.ts";
import type { BareJid } from "../xmpp/jid.ts";
import { fail, type Ground, inTime, type Outcome, ok, reasonOfSilence, skip } from "./check.ts";

const installIt =
  "install the registration that `causeway registration` prints (docs/operators.md says where for each homeserver), and restart the homeserver";

const bodyOf = ({ body }: HttpAnswer): Record<string, unknown> => {
  try {
    const parsed: unknown = JSON.parse(body);
    return isObject(parsed) ? parsed : {};
  } catch {
    return {};
  }
};

/** Status, errcode and text of a refusal, for a person. */
function refusalOf(answer: HttpAnswer): string {
  const body = bodyOf(answer);
  const parts = [String(answer.status), readString(body, "errcode"), readString(body, "error")];
  return parts.filter((part) => part !== undefined).join(" ");
}

function call(ground: Ground, method: "GET" | "POST", path: string, body?: object, as?: UserId) {
  return ground.homeserver.request({
    method,
    path: `/_matrix/client/${path}`,
    headers: {
      authorization: `Bearer ${ground.config.appservice.asToken}`,
      "content-type": "application/json",
    },
    ...(body && { body: JSON.stringify(body) }),
    ...(as && { query: { user_id: as } }),
  });
}

export async function homeserverAnswers({ config, homeserver }: Ground): Promise<Outcome> {
  const { url } = config.homeserver;
  try {
    const answer = await homeserver.request({ method: "GET", path: "/_matrix/client/versions" });
    if (answer.status === 200 && Array.isArray(bodyOf(answer).versions)) return ok();
    return fail(
      `what answers at ${url} is no homeserver (status ${answer.status} to /_matrix/client/versions)`,
      "set homeserver.url to the address of its client-server API",
    );
  } catch (error) {
    if (!(error instanceof NoAnswerError)) throw error;
    return fail(
      `the homeserver does not answer at ${url} (${reasonOfSilence(error)})`,
      "start it, or correct homeserver.url",
    );
  }
}

export async function tokenIsKnown(ground: Ground): Promise<Outcome> {
  const answer = await call(ground, "GET", "v3/account/whoami");
  if (answer.status === 200) return ok();
  if (readString(bodyOf(answer), "errcode") === "M_UNKNOWN_TOKEN" || answer.status === 401) {
    return fail(
      `the homeserver does not know appservice.asToken (${refusalOf(answer)}): it has not loaded the registration, or one with another as_token`,
      installIt,
    );
  }
  return fail(`the homeserver does not say whose appservice.asToken is (${refusalOf(answer)})`, installIt);
}

export async function serverNameFits(ground: Ground): Promise<Outcome> {
  const { domain } = ground.config.homeserver;
  const userId = parseUserId(
    readString(bodyOf(await call(ground, "GET", "v3/account/whoami")), "user_id") ?? "",
  );
  if (!userId) return skip("the homeserver does not say who the bridge's bot is");
  if (domainOf(userId) !== domain) {
    return fail(
      `the homeserver's name is ${domainOf(userId)}, not ${domain}`,
      `set homeserver.domain to ${domainOf(userId)}; then ${installIt}`,
    );
  }
  const bot = `${ground.config.appservice.userPrefix}bot`;
  if (localpartOf(userId) === bot) return ok();
  return fail(`the bot is called ${userId} there, and @${bot}:${domain} here`, installIt);
}

export async function homeserverReachesBridge(ground: Ground): Promise<Outcome> {
  const { config, standIn, newId } = ground;
  const id = newId();
  const path = `v1/appservice/${encodeURIComponent(config.appservice.id)}/ping`;
  const answer = await inTime(call(ground, "POST", path, { transaction_id: id }));
  if (standIn.heard.ids.has(id)) return ok();
  if (!answer) {
    return fail(
      "the homeserver tried to reach the bridge and got nowhere",
      `a firewall stands between it and ${config.appservice.url}, or it runs where that address leads nowhere, such as in a container: correct appservice.url, and ${installIt}`,
    );
  }
  const status = bodyOf(answer).status;
  if (standIn.heard.wrongToken || (answer.status === 502 && (status === 401 || status === 403))) {
    return fail("the homeserver shows the bridge another token than appservice.hsToken", installIt);
  }
  const finding = explainPing(answer, config.homeserver.url);
  if (!finding.ok) return fail(finding.problem, finding.remedy);
  if (finding.note !== undefined) return skip(finding.note);
  if (!standIn.isOpen()) return ok();
  return fail(
    "the homeserver's ping was answered by something that is not this bridge",
    `\`url\` in the registration must lead to listen: correct appservice.url, and ${installIt}`,
  );
}

/** The ghost of the component's own domain: one that stands for nobody, so nobody meets it. */
export async function ghostMayAct(ground: Ground): Promise<Outcome> {
  const { homeserver, appservice, xmpp } = ground.config;
  const addresses = createAddresses({
    homeserverDomain: homeserver.domain,
    component: xmpp.component,
    userPrefix: appservice.userPrefix,
    digest: (text) => createHash("sha256").update(text).digest("hex"),
  });
  const ghost = addresses.ghostOf(xmpp.component as BareJid);
  const registration = {
    type: "m.login.application_service",
    username: localpartOf(ghost),
    inhibit_login: true,
  };
  const registered = await call(ground, "POST", "v3/register", registration);
  const errcode = readString(bodyOf(registered), "errcode");
  if (errcode === "M_EXCLUSIVE") {
    return fail(
      `the homeserver does not let the bridge have users that begin with ${appservice.userPrefix} (${refusalOf(registered)})`,
      `another registration claims them, or the loaded one is for another appservice.userPrefix or homeserver.domain: ${installIt}`,
    );
  }
  if (registered.status !== 200 && errcode !== "M_USER_IN_USE") {
    return fail(`the homeserver refuses to register a ghost (${refusalOf(registered)})`, "see its log");
  }
  const acting = await call(ground, "GET", "v3/account/whoami", undefined, ghost);
  if (acting.status === 200 && readString(bodyOf(acting), "user_id") === ghost) return ok();
  return fail(
    `the homeserver does not let the bridge act as its ghost ${ghost} (${refusalOf(acting)})`,
    installIt,
  );
}
