/** The bot, put together: its commands as lines of chat and as forms, its rooms, and the secrets that it is told. */
import { createHmac } from "node:crypto";
import { type AdHoc, createAdHoc } from "../commands/ad-hoc.ts";
import { createCommands } from "../commands/commands.ts";
import { createHelp } from "../commands/help.ts";
import { createNotifyCommands } from "../commands/notify.ts";
import { createSecretFilter } from "../commands/secrets.ts";
import { createWhois } from "../commands/whois.ts";
import { levelOf } from "../config/permissions.ts";
import type { Gateway } from "../gateway/gateway.ts";
import { createRateLimit } from "../http/rate-limit.ts";
import type { RoomId } from "../matrix/ids.ts";
import type { Push } from "../push/push.ts";
import { bareOf } from "../xmpp/jid.ts";
import { xml } from "../xmpp/stanza.ts";
import { type Bot, createBot } from "./bot.ts";
import { type BotCommandsDeps, createBotCommands } from "./bot-commands.ts";
import { createMucCommands } from "./bot-mucs.ts";
import { type BotRooms, createBotRooms } from "./bot-rooms.ts";
import type { Ground } from "./ground.ts";
import { createSecrets, type Secrets, type SecretsDeps } from "./secrets.ts";
import type { Traffic } from "./traffic.ts";

export interface BotPartsDeps
  extends Ground,
    Omit<BotCommandsDeps, keyof Ground>,
    Pick<SecretsDeps, "passOn"> {
  homeserverDomain: string;
  push: Push;
  gateway(): Pick<Gateway, "onStanza" | "isHosted" | "moveGuests" | "putOutBlocked">;
  /** Signs the sessions of forms, so it outlives a restart. */
  signingSecret: string;
}

export interface BotParts {
  bot: Bot;
  botRooms: BotRooms;
  adHoc: AdHoc;
  secrets: Secrets;
  /** Commands that are given in rooms of XMPP. */
  mucCommands: Traffic;
  /** What is stored is taken in before anything else is done. */
  start(): Promise<void>;
  /** Prosody has come back, and the bot goes back to where an answer is awaited. */
  prosodyReached(): void;
  stop(): void;
}

/** Answers to one person. */
const usual = { points: 30, seconds: 60 };
const onceAMinute = { points: 1, seconds: 60 };
/** Refusals to one person who may not use the bridge. */
const rare = { points: 1, seconds: 60 * 60 };

export function createBotParts(deps: BotPartsDeps): BotParts {
  const { addresses, component, permissions, directRooms, matrix, store, requests, newId, log } = deps;
  const botCommands = createBotCommands(deps);
  const { linked } = botCommands;
  const isHosted = (roomId: RoomId): boolean => deps.gateway().isHosted(roomId);
  const others = [
    createWhois({
      ...deps,
      jidOfGhost: deps.ghosts.jidOf,
      ask: (to, payload) => requests.request({ from: component, to, payload, timeoutSeconds: 5 }),
    }),
    ...botCommands.list,
    ...createNotifyCommands(deps),
  ];
  const isLinked = (roomId: RoomId): boolean => linked.ofRoom(roomId) !== undefined;
  const isShared = (roomId: RoomId): boolean => isLinked(roomId) || isHosted(roomId);
  const list = [createHelp({ list: others, addresses }), ...others];
  const commands = createCommands({ list, log });
  const limit = createRateLimit(usual);
  const botRooms = createBotRooms({ bot: addresses.botUserId, matrix, store: store.botRooms, isLinked, log });
  return {
    botRooms,
    bot: createBot({
      ...deps,
      bot: addresses.botUserId,
      commands,
      rooms: botRooms,
      isShared,
      mucOf: (roomId) => linked.ofRoom(roomId)?.muc,
      isGhost: addresses.isGhost,
      jidOfGhost: deps.ghosts.jidOf,
      limit,
      refusals: createRateLimit(rare),
      warnings: createRateLimit(onceAMinute),
    }),
    mucCommands: createMucCommands({ ...deps, ...botCommands, ...store, commands, limit }),
    start: botCommands.start,
    prosodyReached: botCommands.prosodyReached,
    stop: botCommands.stop,
    adHoc: createAdHoc({
      commands,
      log,
      callerOf(from) {
        const jid = bareOf(from);
        const level = levelOf(permissions, jid);
        return level === "block" ? undefined : { network: "xmpp", jid, level };
      },
      async tell(jid, text) {
        await deps.xmpp.send(
          xml("message", { type: "chat", from: component, to: jid }, xml("body", {}, text)),
        );
      },
      mayAsk: async (jid) => (await limit.take(jid)) === undefined,
      newId,
      sign: (text) => createHmac("sha256", deps.signingSecret).update(text).digest("base64url"),
    }),
    secrets: createSecrets({
      component,
      filter: createSecretFilter(list),
      isBridged: async (roomId) =>
        isShared(roomId) ||
        (await directRooms.ofRoom(roomId)) !== undefined ||
        // Only the process that leads knows all rooms without looking.
        (await store.links.ofRoom(roomId)) !== undefined ||
        (await store.guests.ofRoom(roomId)).length > 0,
      isBotRoom: async (roomId) =>
        (await botRooms.ofRoom(roomId)) !== undefined || (await store.links.ofRoom(roomId)) !== undefined,
      passOn: deps.passOn,
    }),
  };
}
