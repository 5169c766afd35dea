/** The bot, put together: its commands as lines of chat and as forms, its rooms, and the secrets that it is told. */
import { createHmac } from "node:crypto";
import { type AdHoc, createAdHoc } from "../commands/ad-hoc.ts";
import type { Command } from "../commands/command.ts";
import { createCommands } from "../commands/commands.ts";
import { createHelp } from "../commands/help.ts";
import { createSecretFilter } from "../commands/secrets.ts";
import { levelOf } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import { createRateLimit } from "../http/rate-limit.ts";
import type { Addresses } from "../mapping/addresses.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { Log } from "../ops/log.ts";
import type { BotRooms as StoredRooms } from "../store/store.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { type BareJid, bareOf } from "../xmpp/jid.ts";
import { type Bot, createBot } from "./bot.ts";
import { type BotRooms, createBotRooms } from "./bot-rooms.ts";
import type { DirectRooms } from "./direct-rooms.ts";
import { createSecrets, type Secrets } from "./secrets.ts";

export interface BotPartsDeps {
  /** All commands but the one that lists them. */
  commands: readonly Command[];
  addresses: Addresses;
  component: BareJid;
  permissions: Config["permissions"];
  /** Signs the sessions of forms, so it outlives a restart. */
  signingSecret: string;
  directRooms: DirectRooms;
  store: StoredRooms;
  matrix: MatrixClient;
  xmpp: XmppClient;
  txnId(cause: string, part: string): string;
  newId: () => string;
  log: Log;
}

export interface BotParts {
  bot: Bot;
  botRooms: BotRooms;
  adHoc: AdHoc;
  secrets: Secrets;
}

/** Answers to one person. */
const usual = { points: 30, seconds: 60 };
const onceAMinute = { points: 1, seconds: 60 };
/** Refusals to one person who may not use the bridge. */
const rare = { points: 1, seconds: 60 * 60 };

export function createBotParts({ commands: others, store, newId, ...deps }: BotPartsDeps): BotParts {
  const { addresses, component, permissions, directRooms, matrix, log } = deps;
  const list = [createHelp({ list: others, addresses }), ...others];
  const commands = createCommands({ list, log });
  const limit = createRateLimit(usual);
  const botRooms = createBotRooms({ bot: addresses.botUserId, matrix, store, log });
  return {
    botRooms,
    bot: createBot({
      ...deps,
      bot: addresses.botUserId,
      commands,
      rooms: botRooms,
      limit,
      refusals: createRateLimit(rare),
      warnings: createRateLimit(onceAMinute),
    }),
    adHoc: createAdHoc({
      commands,
      callerOf(from) {
        const jid = bareOf(from);
        const level = levelOf(permissions, jid);
        return level === "block" ? undefined : { network: "xmpp", jid, level };
      },
      mayAsk: async (jid) => (await limit.take(jid)) === undefined,
      newId,
      sign: (text) => createHmac("sha256", deps.signingSecret).update(text).digest("base64url"),
    }),
    secrets: createSecrets({
      component,
      filter: createSecretFilter(list),
      isBridged: async (roomId) => (await directRooms.ofRoom(roomId)) !== undefined,
      isBotRoom: async (roomId) => (await botRooms.ofRoom(roomId)) !== undefined,
    }),
  };
}
