/** Commands as forms: XEP-0050 1.3 (Ad-Hoc Commands) with XEP-0004 2.13 (Data Forms). */
import { within } from "../bridge/within.ts";
import { sameSecret } from "../http/credentials.ts";
import { type ReadForm, readForm } from "../mapping/data-forms.ts";
import type { Log } from "../ops/log.ts";
import { type BareJid, bareOf, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, errorReply, readChild, xml } from "../xmpp/stanza.ts";
import { missingIn } from "./chat.ts";
import type { Args, Caller, Command, Field, Reply } from "./command.ts";
import type { Commands } from "./commands.ts";

export interface AdHocDeps {
  commands: Commands;
  /** @returns undefined for those who may not use the bridge. */
  callerOf(jid: Jid): Caller | undefined;
  /** Counts a call. @returns false where there were too many. */
  mayAsk(jid: BareJid): Promise<boolean>;
  /** Says something to somebody who has given a command that took too long. */
  tell(jid: Jid, text: string): Promise<void>;
  newId: () => string;
  /** A signature that only this bridge can make. */
  sign: (text: string) => string;
  /** How long a form waits for its answer. */
  patienceMs?: number;
  log: Log;
}

export interface AdHoc {
  /** Answers an IQ whose payload is a `<command/>`. */
  answer(request: Element): Promise<Element>;
  /** What service discovery tells of the list of commands or of one of them; undefined for any other node. */
  discover(request: Element, kind: "info" | "items", node: string): Element[] | undefined;
}

const actions = new Set(["execute", "cancel", "complete", "prev", "next"]);

const nodeOf = ({ name }: Command): string => name.replaceAll(" ", "-");

const fieldElement = ({ name, label, required, secret }: Field, args: Args): Element => {
  const value = secret ? undefined : args[name];
  return xml(
    "field",
    { var: name, label, type: secret ? "text-private" : "text-single" },
    ...(required ? [xml("required")] : []),
    ...(value === undefined ? [] : [xml("value", {}, value)]),
  );
};

const formOf = ({ name, summary, fields }: Command, args: Args): Element =>
  xml(
    "x",
    { xmlns: NS.dataForm, type: "form" },
    xml("title", {}, name),
    xml("instructions", {}, `The bridge ${summary}.`),
    ...fields.map((field) => fieldElement(field, args)),
  );

const argsIn = ({ values }: ReadForm, { fields }: Command): Args =>
  Object.fromEntries(fields.map(({ name }) => [name, values.get(name)?.[0]?.trim() || undefined]));

/** A client may cancel the form alone (XEP-0004 §3.1). */
const isCancelled = (action: string | undefined, form: ReadForm | undefined): boolean =>
  action === "cancel" || form?.type === "cancel";

/** The first line as a note, which every client shows; the others as a field of a result. */
function resultOf({ text, failed }: Reply): Element[] {
  const [first = "", ...rest] = text.split("\n").filter((line) => line !== "```");
  const lines = rest.join("\n").trim().split("\n");
  return [
    xml("note", { type: failed ? "error" : "info" }, first),
    ...(lines.length === 1 && lines[0] === ""
      ? []
      : [
          xml(
            "x",
            { xmlns: NS.dataForm, type: "result" },
            xml(
              "field",
              { var: "result", type: "text-multi" },
              ...lines.map((line) => xml("value", {}, line)),
            ),
          ),
        ]),
  ];
}

/** @param detail one of the conditions of XEP-0050 §4.4. */
function refusal(request: Element, type: string, condition: string, detail?: string): Element {
  const reply = errorReply(request, { type, condition });
  if (detail) reply.getChild("error")?.append(xml(detail, { xmlns: NS.commands }));
  return reply;
}

export function createAdHoc(deps: AdHocDeps): AdHoc {
  const { commands, callerOf, mayAsk, tell, newId, sign, log, patienceMs = 10_000 } = deps;
  /** Other servers may take their time to answer what a command asks them; clients do not wait for long. */
  const inTime = async (running: Promise<Reply>, jid: Jid): Promise<Reply> => {
    const reply = await within(patienceMs, running);
    if (reply) return reply;
    running
      .then(({ text }) => tell(jid, text))
      .catch((error) => log.warn("the outcome of a command was not told", { to: jid, error }));
    return { text: "This takes a while; the outcome comes as a message." };
  };

  // The bridge keeps no sessions: a form carries all, and its ID shows that it is one of ours, for that requester.
  const signed = (id: string, request: Element, node: string): string =>
    `${id}.${sign(`${id}\n${request.attrs.from}\n${node}`)}`;
  const isSession = (sessionId: string, request: Element, node: string): boolean =>
    sameSecret(sessionId, signed(sessionId.split(".", 1)[0] ?? "", request, node));

  const allowedTo = (request: Element): Command[] => {
    const caller = callerOf(request.attrs.from as Jid);
    return caller ? commands.allowed(caller) : [];
  };

  /** What is wrong with the envelope of the request, as a condition of XEP-0050 §4.4. */
  const faultIn = (request: Element, { attrs }: Element): string | undefined => {
    const { node, sessionid, action = "execute" } = attrs;
    if (!actions.has(action)) return "malformed-action";
    if (sessionid !== undefined && !isSession(sessionid, request, node)) return "bad-sessionid";
    // There is one form, so nothing lies before or behind it, and without a session there is nothing to end.
    const ends = action === "complete" || action === "cancel";
    return action === "execute" || (ends && sessionid !== undefined) ? undefined : "bad-action";
  };

  const answerAs = async (caller: Caller, request: Element, payload: Element): Promise<Element> => {
    const { node, sessionid, action } = payload.attrs;
    const command = commands.allowed(caller).find((candidate) => nodeOf(candidate) === node);
    if (!command) return refusal(request, "cancel", "item-not-found");
    const form = readForm(payload);
    const isOpen = sessionid === undefined && !form && command.fields.length > 0;
    const lacksForm = sessionid !== undefined && !form && action !== "cancel";
    const fault = faultIn(request, payload) ?? (lacksForm ? "bad-payload" : undefined);
    if (fault) return refusal(request, "modify", "bad-request", fault);

    const session = sessionid ?? signed(newId(), request, node);
    const reply = (status: string, ...children: Element[]): Element => {
      const { from, to, id } = request.attrs;
      const about = { xmlns: NS.commands, node, sessionid: session, status };
      return xml("iq", { type: "result", from: to, to: from, id }, xml("command", about, ...children));
    };
    if (isCancelled(action, form)) return reply("canceled");
    const args = form ? argsIn(form, command) : {};
    const missing = missingIn(command, args);
    if (isOpen || missing.length > 0) {
      const complaint = isOpen ? [] : [xml("note", { type: "error" }, `Missing: ${missing.join(", ")}`)];
      const ways = xml("actions", { execute: "complete" }, xml("complete"));
      return reply("executing", ways, ...complaint, formOf(command, args));
    }
    return reply(
      "completed",
      ...resultOf(await inTime(commands.run(command, caller, args), request.attrs.from)),
    );
  };

  return {
    async answer(request) {
      const payload = readChild(request, NS.commands, "command");
      if (!payload || request.attrs.type !== "set") return refusal(request, "modify", "bad-request");
      const caller = callerOf(request.attrs.from as Jid);
      if (!caller) return refusal(request, "auth", "forbidden");
      if (!(await mayAsk(bareOf(request.attrs.from as Jid))))
        return refusal(request, "wait", "resource-constraint");
      return answerAs(caller, request, payload);
    },
    discover(request, kind, node) {
      const allowed = allowedTo(request);
      if (node === NS.commands) {
        const jid = bareOf(request.attrs.to as Jid);
        return kind === "items"
          ? allowed.map((command) => xml("item", { jid, node: nodeOf(command), name: command.name }))
          : [xml("identity", { category: "automation", type: "command-list", name: "Commands" })];
      }
      const command = allowed.find((candidate) => nodeOf(candidate) === node);
      if (!command) return undefined;
      if (kind === "items") return [];
      return [
        xml("identity", { category: "automation", type: "command-node", name: command.name }),
        xml("feature", { var: NS.commands }),
        xml("feature", { var: NS.dataForm }),
      ];
    },
  };
}
