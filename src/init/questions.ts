/** What `causeway init` has to know: each question with its flag, its default, and what makes an answer usable. */
import { isIP } from "node:net";
import type { z } from "zod";
import { reachable } from "../config/prosody.ts";
import { configSchema } from "../config/schema.ts";
import { parseUserId } from "../matrix/ids.ts";
import { localOf, parseBareJid } from "../xmpp/jid.ts";

export const homeserverKinds = ["synapse", "dendrite", "continuwuity", "tuwunel"] as const;
export type HomeserverKind = (typeof homeserverKinds)[number];

export interface Answers {
  /** One of `homeserverKinds`; it changes nothing but what is said in the end. */
  homeserver: string;
  homeserverUrl: string;
  domain: string;
  component: string;
  restUrl: string;
  host: string;
  port: string;
  adminPort: string;
  publicUrl: string;
  database: string;
  /** An MXID or JID, or empty. */
  adminUser: string;
}

export interface Question {
  flag: string;
  message: string;
  /** Given where only these will do. */
  choices?: readonly string[];
  fallback: (known: Partial<Answers>) => string;
  /** Says what is wrong with an answer, in words that follow the flag's name or stand alone; or nothing. */
  check: (answer: string, known: Partial<Answers>) => string | undefined;
}

const { homeserver, xmpp, publicUrl, database } = configSchema.shape;

const by =
  (schema: z.ZodType) =>
  (answer: string): string | undefined =>
    schema.safeParse(answer).error?.issues[0]?.message;

const isPort = (answer: string): boolean => /^[1-9]\d{0,4}$/.test(answer) && Number(answer) < 65_536;
const portProblem = (answer: string): string | undefined =>
  isPort(answer) ? undefined : "must be a port, a number from 1 to 65535";

/** A domain stands for all of its people, which `permissions` can say and nobody means here. */
function isPerson(answer: string): boolean {
  if (answer.startsWith("@")) return parseUserId(answer) !== undefined;
  const jid = parseBareJid(answer);
  return jid !== undefined && localOf(jid) !== undefined;
}

const hostName = /^(?!-)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/;

/** In the order in which they are asked; a later default may build on an earlier answer. */
export const questions: Record<keyof Answers, Question> = {
  homeserver: {
    flag: "--homeserver <kind>",
    message: `Which homeserver is it (${homeserverKinds.join(", ")})?`,
    choices: homeserverKinds,
    fallback: () => "synapse",
    check: (answer) =>
      homeserverKinds.some((kind) => kind === answer)
        ? undefined
        : `must be one of ${homeserverKinds.join(", ")}`,
  },
  homeserverUrl: {
    flag: "--homeserver-url <url>",
    message: "Where does the bridge reach the homeserver?",
    fallback: () => "http://127.0.0.1:8008",
    check: by(homeserver.shape.url),
  },
  domain: {
    flag: "--domain <name>",
    message: "What is the homeserver's name, as in @alice:NAME?",
    fallback: () => "hs.test",
    check: by(homeserver.shape.domain),
  },
  component: {
    flag: "--component <domain>",
    message: "Which XMPP domain shall be the bridge's?",
    fallback: () => "bridge.xmpp.test",
    check: by(xmpp.shape.component),
  },
  restUrl: {
    flag: "--rest-url <url>",
    message: "Where does the bridge reach Prosody's mod_rest?",
    fallback: () => "http://127.0.0.1:5280/rest",
    check: by(xmpp.shape.restUrl),
  },
  host: {
    flag: "--host <address>",
    message: "On which address shall the bridge listen?",
    fallback: () => "127.0.0.1",
    check: (answer) =>
      isIP(answer) || (hostName.test(answer) && URL.canParse(`http://${answer}`))
        ? undefined
        : "must be an IP address or a host's name",
  },
  port: {
    flag: "--port <number>",
    message: "On which port?",
    fallback: ({ adminPort }) => (adminPort === "9555" ? "9556" : "9555"),
    // Where both were given, the other one's check says so.
    check: (answer, { adminPort, port }) =>
      portProblem(answer) ??
      (answer === adminPort && port === undefined ? "must be another port than --admin-port" : undefined),
  },
  adminPort: {
    flag: "--admin-port <number>",
    message: "And on which for health and the status page?",
    fallback: ({ port = "9555" }) => String(Number(port) === 65_535 ? 65_534 : Number(port) + 1),
    check: (answer, { port }) =>
      portProblem(answer) ?? (answer === port ? "must be another port than --port" : undefined),
  },
  publicUrl: {
    flag: "--public-url <url>",
    message: "Under which URL do others reach it (https, where there is a reverse proxy)?",
    fallback: ({ host = "127.0.0.1", port = "9555" }) => `http://${reachable(host)}:${port}`,
    check: by(publicUrl),
  },
  database: {
    flag: "--database <address>",
    message: "Which database (sqlite:PATH, or postgres://USER:PASSWORD@HOST/NAME)?",
    fallback: () => "sqlite:./data/causeway.db",
    check: by(database),
  },
  adminUser: {
    flag: "--admin-user <address>",
    message: "Who administers the bridge (MXID or JID, may be left empty)?",
    fallback: () => "",
    check: (answer) =>
      answer === "" || isPerson(answer)
        ? undefined
        : "must be an MXID such as @juliet:capulet.example or a JID such as romeo@montague.example",
  },
};
