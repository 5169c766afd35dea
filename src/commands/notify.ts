/** The commands with which a person has Matrix notifications come to an XMPP address. */
import { failureOf } from "../bridge/failure.ts";
import { NoAnswerError } from "../http/client.ts";
import { domainOf } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import { isToken } from "../matrix/pushers.ts";
import type { Push } from "../push/push.ts";
import { PushRefusal } from "../push/refusal.ts";
import type { PushKey, PushKeyOwner } from "../store/store.ts";
import { bareOf } from "../xmpp/jid.ts";
import type { Args, Caller, Command, Reply } from "./command.ts";

export interface NotifyDeps {
  push: Push;
  /** Of the homeserver that tokens are shown to, and no other. */
  homeserverDomain: string;
}

const ownerOf = (caller: Caller): PushKeyOwner =>
  caller.network === "matrix" ? caller.userId : bareOf(caller.jid);
/** What comes to somebody's own address can be another one's doing. */
const placeOf = ({ jid, owner }: PushKey, caller: PushKeyOwner): string =>
  owner === caller ? jid : `${jid} (for ${owner})`;
const failed = (text: string): Reply => ({ text, failed: true });
const inShell = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

export function createNotifyCommands({ push, homeserverDomain }: NotifyDeps): Command[] {
  /** The request that sets the pusher, for people to send themselves; a form to fill in where the server is unknown. */
  const asCurl = (caller: Caller, key: PushKey): string => {
    const server = caller.network === "matrix" ? domainOf(caller.userId) : "YOUR-HOMESERVER";
    const { method, path, body } = push.pusherOf(key);
    return [
      "```",
      `curl -X ${method} ${inShell(`https://${server}${path}`)} \\`,
      "  -H 'Authorization: Bearer ACCESS_TOKEN' -H 'Content-Type: application/json' \\",
      `  -d ${inShell(JSON.stringify(body))}`,
      "```",
    ].join("\n");
  };

  const isElsewhere = (caller: Caller): boolean =>
    caller.network === "matrix" && domainOf(caller.userId) !== homeserverDomain;

  const nextSteps = (caller: Caller, key: PushKey): string => {
    const byHand = ["send this to your homeserver yourself:", asCurl(caller, key)];
    const lines = isElsewhere(caller)
      ? [`${key.jid} is confirmed. Now ${byHand[0]}`, byHand[1]]
      : [
          `${key.jid} is confirmed. Now your homeserver has to know. Either write to me, alone:`,
          "notify token ACCESS_TOKEN",
          `with an access token of your account on ${homeserverDomain}, which I use once and keep nowhere; or ${byHand[0]}`,
          byHand[1],
        ];
    return [...lines, "Then try it: notify test"].join("\n");
  };

  /** Why the homeserver did not do it, and who can do what about it; nothing that could hold the token. */
  const whyNot = (error: unknown): string => {
    if (error instanceof NoAnswerError) return "The homeserver does not answer now; try again later.";
    if (!(error instanceof MatrixError)) throw error;
    if (error.status === 401 || error.errcode === "M_FORBIDDEN")
      return `The homeserver does not know this access token: it is wrong, has ended, or is of another server than ${homeserverDomain}.`;
    if (error.status === 400)
      return (
        `The homeserver does not accept the push gateway ${push.gatewayUrl} (${error.errcode ?? error.status}). ` +
        "The bridge's operator has to set publicUrl to a https:// address without a path that the homeserver may reach."
      );
    if (error.status === 429) return "The homeserver wants no more of this now; try again later.";
    return `The homeserver refused with ${error.status} ${error.errcode ?? ""}`.trimEnd();
  };

  const noKey = "There is no confirmed address yet. Begin with: notify ADDRESS";

  /** Turns what is meant for a person into the answer. */
  const answering =
    (run: (caller: Caller, args: Args) => Promise<Reply>): Command["run"] =>
    async (caller, args) => {
      try {
        return await run(caller, args);
      } catch (error) {
        if (error instanceof PushRefusal) return failed(error.message);
        throw error;
      }
    };

  const ask: Command = {
    name: "notify",
    summary: "has notifications from Matrix come to an XMPP address",
    fields: [{ name: "address", label: "XMPP address" }],
    examples: ["notify romeo@xmpp.example"],
    run: answering(async (caller, { address }) => {
      if (address === undefined && caller.network === "matrix") {
        return failed("Name the XMPP address, as in: notify romeo@xmpp.example");
      }
      const jid = push.parseAddress(address ?? ownerOf(caller));
      // Whoever writes from an address has proven it.
      if (caller.network === "xmpp" && caller.jid === jid) {
        return { text: nextSteps(caller, await push.ensure(jid, jid)) };
      }
      try {
        await push.sendCode(ownerOf(caller), jid);
      } catch (error) {
        if (error instanceof PushRefusal) throw error;
        return failed(`The code could not be sent to ${jid}. ${failureOf(error).sentence}`);
      }
      return {
        text: `A code is on its way to ${jid}. Give it to me with: notify confirm CODE\nIf none comes, look at the address again.`,
      };
    }),
  };

  const confirm: Command = {
    name: "notify confirm",
    summary: "proves the address with the code that came there",
    fields: [{ name: "code", label: "Code", required: true }],
    run: answering(async (caller, { code = "" }) => ({
      text: nextSteps(caller, await push.confirm(ownerOf(caller), code)),
    })),
  };

  const token: Command = {
    name: "notify token",
    summary: "sets notifications up with your access token, used once",
    fields: [{ name: "token", label: "Access token of your Matrix account", required: true, secret: true }],
    run: answering(async (caller, { token: accessToken = "" }) => {
      if (isElsewhere(caller)) {
        return failed(
          `I can do this for users of ${homeserverDomain} only; the answer to notify confirm shows what to send yourself.`,
        );
      }
      const owner = ownerOf(caller);
      const key = (await push.of(owner)).filter((one) => one.owner === owner && push.works(one)).at(-1);
      if (!key) return failed(noKey);
      if (!isToken(accessToken)) return failed("That is not an access token.");
      try {
        await push.setPusher(accessToken, key);
      } catch (error) {
        return failed(whyNot(error));
      }
      return { text: `Notifications now come to ${key.jid}. Try it: notify test` };
    }),
  };

  const list: Command = {
    name: "notify list",
    summary: "lists the addresses that notifications come to",
    fields: [],
    run: answering(async (caller) => {
      const owner = ownerOf(caller);
      const lines = (await push.of(owner)).map((key) => {
        const ended = push.works(key) ? "" : ` (ended: ${key.ended ?? "it may not use this bridge"})`;
        return `${placeOf(key, owner)}${ended}`;
      });
      if (lines.length === 0) return { text: "No notifications are set up." };
      return { text: ["Notifications come to:", ...lines].join("\n") };
    }),
  };

  const test: Command = {
    name: "notify test",
    summary: "sends a test notification",
    fields: [],
    run: answering(async (caller) => {
      const owner = ownerOf(caller);
      const jids = new Map((await push.of(owner)).filter(push.works).map((key) => [key.jid, key]));
      if (jids.size === 0) return failed(noKey);
      const lines: string[] = [];
      let problems = 0;
      for (const [jid, key] of jids) {
        try {
          await push.test(key);
          lines.push(`A test notification is on its way to ${jid}.`);
        } catch (error) {
          problems += 1;
          lines.push(`The test could not be sent to ${jid}. ${failureOf(error).sentence}`);
        }
      }
      return { text: lines.join("\n"), ...(problems > 0 && { failed: true as const }) };
    }),
  };

  const off: Command = {
    name: "notify off",
    summary: "turns notifications off; with your access token the homeserver is told at once",
    fields: [
      {
        name: "address",
        label: "XMPP address, or all of them",
        // A token alone is for all addresses.
        fits: (word) => word.includes("@") || word.toLowerCase() === "all",
      },
      { name: "token", label: "Access token of your Matrix account", secret: true },
    ],
    run: answering(async (caller, { address, token: accessToken }) => {
      const owner = ownerOf(caller);
      const chosen = (await push.of(owner)).filter(
        ({ jid }) =>
          address === undefined || address.toLowerCase() === "all" || address.toLowerCase() === jid,
      );
      // The address is not repeated: it could be a token in the wrong place.
      if (chosen.length === 0)
        return failed("No notifications are set up there; notify list shows where they are.");
      const lines: string[] = [];
      for (const key of chosen) {
        // The key first: whatever the homeserver says, nothing comes any more.
        await push.remove(key);
        const told = await tell(caller, key, accessToken);
        lines.push(`Notifications to ${placeOf(key, owner)} are off. ${told}`);
      }
      return { text: lines.join("\n") };
    }),
  };

  const tell = async (caller: Caller, key: PushKey, accessToken: string | undefined): Promise<string> => {
    const later = "Your homeserver learns of it when it next has something to send.";
    if (accessToken === undefined || isElsewhere(caller)) return later;
    if (!isToken(accessToken)) return `That is not an access token. ${later}`;
    try {
      await push.removePusher(accessToken, key);
      return "Your homeserver knows.";
    } catch (error) {
      return `${whyNot(error)} ${later}`;
    }
  };

  return [ask, confirm, token, list, test, off].map((command) => ({ ...command, private: true }));
}
