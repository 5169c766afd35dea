/** What `config.json` may hold: shape, checks and defaults; every key of ours beyond the design has a default. */
import { isIP } from "node:net";
import { z } from "zod";
import { databaseProblem, databaseSecrets } from "./database.ts";
import { canonicalList, levels } from "./permissions.ts";

const webUrl = z
  .string()
  .refine(isWebUrl, "must be a http:// or https:// URL without user, query or fragment")
  // A slash at the end would be doubled by homeservers that append the path as it is.
  .transform((url) => url.replace(/\/+$/, ""));

const serverName = z
  .string()
  .regex(/^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/, "must be a server name such as hs.example");
const xmppDomain = z
  .string()
  .regex(
    /^[a-z0-9\u0080-\uffff]([a-z0-9.\u0080-\uffff-]*[a-z0-9\u0080-\uffff])?$/,
    "must be a domain in lower case",
  );
// Tokens travel in a header, so a space or anything beyond ASCII would not arrive.
const token = z.string().regex(/^[!-~]{16,}$/, "must be 16 or more ASCII characters without spaces");
const secret = z.string().min(1, "must not be empty");
const bind = z.strictObject({ host: z.string().min(1), port: z.int().min(0).max(65535) });
const proxy = z.string().refine(isNetwork, "must be an IP address, or a network such as 10.0.0.0/8");

const contactUris = z
  .array(z.string().regex(/^(?:mailto|xmpp|https):[^\s]+$/, "must be a mailto:, xmpp: or https: URI"))
  .optional();

const allowance = z.enum(["user", "admin", "nobody"]);
const domainPattern = z
  .string()
  .regex(/^(?:\*|(?:\*\.)?[^\s*@/]+)$/, "must be a domain, *.domain for all below it, or *");
/** What is on both lists is denied. */
const domainLists = z
  .strictObject({
    allow: z.array(domainPattern).default(["*"]),
    deny: z.array(domainPattern).default([]),
  })
  .prefault({});
const powerLevel = z.int().min(1).max(100);

const database = z.string().superRefine((value, context) => {
  const problem = databaseProblem(value);
  if (problem !== undefined) context.addIssue(problem);
});

export const configSchema = z.strictObject({
  homeserver: z.strictObject({ url: webUrl, domain: serverName }),
  appservice: z.strictObject({
    id: z.string().min(1),
    url: webUrl,
    asToken: token,
    hsToken: token,
    /** Begins every localpart and alias of ours. */
    userPrefix: z
      .string()
      .regex(/^[a-z0-9._-]+$/, "must be lower-case letters, digits, '.', '_' or '-'")
      .default("_xmpp_"),
  }),
  xmpp: z.strictObject({
    component: xmppDomain,
    restUrl: webUrl,
    restAuth: z
      .union([
        z.strictObject({ username: secret.regex(/^[^:]*$/, "must not hold a colon"), password: secret }),
        z.strictObject({ bearer: token }),
      ])
      .optional(),
    // It is the password in `rest_callback_url`, which Prosody sends on without percent-decoding it.
    callbackSecret: z.string().regex(/^[A-Za-z0-9]{16,}$/, "must be 16 or more ASCII letters and digits"),
    /** How Prosody reaches `listen`, where that is not its own host and port. */
    callbackUrl: webUrl.optional(),
    /** Whether formatted text is sent as XHTML-IM too, which few clients show and none has to. */
    xhtmlIm: z.boolean().default(false),
    /** Whom to turn to about the bridge, as XMPP clients and servers are told it (XEP-0157). */
    contact: z
      .strictObject({
        abuse: contactUris,
        admin: contactUris,
        feedback: contactUris,
        sales: contactUris,
        security: contactUris,
        status: contactUris,
        support: contactUris,
      })
      .optional(),
  }),
  listen: bind.extend({
    /** Whose `X-Forwarded-For` is believed, so that limits count for each source behind it. */
    trustedProxies: z.array(proxy).optional(),
  }),
  admin: bind.extend({
    /** Whoever knows it sees messages and rooms on the status page; without one the page shows health only. */
    token: token.optional(),
  }),
  publicUrl: webUrl,
  database,
  permissions: z
    .record(z.string().regex(/^\S+$/, "must be an MXID, a JID, a domain or *"), z.enum(levels))
    .transform(canonicalList),
  delivery: z
    .strictObject({
      giveUpAfterHours: z.number().positive().default(24),
      maxConcurrentLanes: z.int().positive().default(256),
      /** Whether Matrix users see which messages have arrived, by an event for each that some clients know. */
      statusEvents: z.boolean().default(false),
    })
    .prefault({}),
  /** What may wait to be delivered, in messages and the like; the rest is refused for now. */
  queue: z
    .strictObject({
      perConversation: z.int().positive().default(1000),
      /** Of all that came from one network. */
      perNetwork: z.int().positive().default(100_000),
    })
    .prefault({}),
  /** What crosses besides messages, in both directions. */
  privacy: z
    .strictObject({
      presence: z.boolean().default(true),
      receipts: z.boolean().default(true),
      typing: z.boolean().default(true),
    })
    .prefault({}),
  media: z
    .strictObject({
      linksExpireAfterDays: z.number().positive().max(3650).default(14),
      /** Of one file, in either direction. */
      maxBytes: z
        .int()
        .positive()
        .default(50 * 1024 * 1024),
      /** From where links are followed although it is not the public Internet. */
      allowedNetworks: z.array(proxy).default([]),
    })
    .prefault({}),
  rooms: z
    .strictObject({
      /** The level that it takes to open the portal of an XMPP room, to link a room, to enter Matrix rooms from XMPP. */
      access: z
        .strictObject({
          portal: allowance.default("user"),
          link: allowance.default("user"),
          gateway: allowance.default("user"),
        })
        .prefault({}),
      /** XMPP services whose rooms may be opened and linked. */
      mucServices: domainLists,
      /** Homeservers whose rooms may be entered from XMPP. */
      homeservers: domainLists,
      /** Rooms that one person may open, link or be in through the bridge. */
      maxPerUser: z.int().positive().default(100),
      /** Whether Matrix users are occupants of a linked room, or the bot speaks for them. */
      mode: z.enum(["puppets", "relay"]).default("puppets"),
      /** What the bot says for them. */
      relayTemplate: z
        .string()
        .refine((text) => text.includes("{message}"), "must hold {message}")
        .default("{name}: {message}"),
      /** Whether it says what bots say, too. */
      relayNotices: z.boolean().default(true),
      /** In rooms with more members than that, only those who speak are seen on the other side. */
      lazyAbove: z.int().nonnegative().default(100),
      /** Messages from before that newcomers are shown. */
      historyMessages: z.int().nonnegative().max(500).default(50),
      /** The power levels from which on somebody counts as each. */
      powerLevels: z
        .strictObject({
          owner: powerLevel.default(100),
          admin: powerLevel.default(75),
          moderator: powerLevel.default(50),
        })
        .refine(({ owner, admin, moderator }) => owner > admin && admin > moderator, {
          error: "must fall from owner over admin to moderator",
        })
        .prefault({}),
    })
    .prefault({}),
  logging: z
    .strictObject({
      level: z.enum(["debug", "info", "warn", "error"]).default("info"),
      format: z.enum(["text", "json"]).default("text"),
    })
    .prefault({}),
});

export type Config = z.output<typeof configSchema>;

/** Everything in the configuration that must never be seen in a log, in each form in which it travels. */
export function secretsOf({
  appservice,
  xmpp,
  admin,
  database,
}: Pick<Config, "appservice" | "xmpp" | "admin" | "database">): string[] {
  const { restAuth, callbackSecret } = xmpp;
  const basic = (user: string, password: string) => Buffer.from(`${user}:${password}`).toString("base64");
  const ofRest =
    restAuth === undefined
      ? []
      : "bearer" in restAuth
        ? [restAuth.bearer]
        : [restAuth.password, basic(restAuth.username, restAuth.password)];
  return [
    appservice.asToken,
    appservice.hsToken,
    callbackSecret,
    basic("prosody", callbackSecret),
    ...ofRest,
    ...(admin.token === undefined ? [] : [admin.token]),
    ...databaseSecrets(database),
  ];
}

function isNetwork(text: string): boolean {
  const [address = "", bits, ...more] = text.split("/");
  const version = isIP(address);
  if (version === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}

function isWebUrl(text: string): boolean {
  if (!/^https?:\/\/[^\s?#]+$/.test(text)) return false;
  const url = URL.parse(text);
  return url !== null && url.username === "" && url.password === "" && url.hostname !== "";
}
