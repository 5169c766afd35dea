/** What a hosted room answers and takes besides what is said in it, put together. */
import type { DirectRooms } from "../bridge/direct-rooms.ts";
import type { Attempt } from "../bridge/from-xmpp.ts";
import type { Ghosts } from "../bridge/ghosts.ts";
import { isServiceAllowed, levelOf } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import { createRateLimit } from "../http/rate-limit.ts";
import type { Addresses } from "../mapping/addresses.ts";
import { readInvitation } from "../mapping/muc-invitations.ts";
import type { MatrixClient } from "../matrix/client.ts";
import type { MatrixEvent } from "../matrix/event.ts";
import { domainOf, type UserId } from "../matrix/ids.ts";
import type { Log } from "../ops/log.ts";
import type { Store } from "../store/store.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { answerWith, IqRefusal } from "../xmpp/iq-answer.ts";
import { type BareJid, bareOf, type Jid, parseJid, resourceOf } from "../xmpp/jid.ts";
import { NS } from "../xmpp/namespaces.ts";
import type { IqRequests } from "../xmpp/requests.ts";
import { copyOf, type Element, errorReply } from "../xmpp/stanza.ts";
import type { Photo } from "../xmpp/vcard.ts";
import { createAdmin } from "./admin.ts";
import { archiveAnswers } from "./archive.ts";
import { type DiscoDeps, discoAnswers } from "./disco.ts";
import type { HostedRooms } from "./hosted-room.ts";
import { asUndeliverable, createInvitations } from "./invitations.ts";
import { moderationAnswers } from "./moderation.ts";
import { createOccupantIqs } from "./occupant-iqs.ts";
import { ownerAnswers, registrationAnswers } from "./owner.ts";
import { createPictures, type Pictures } from "./pictures.ts";
import { asRefusal, createProfiles, type Question, type RoomAnswers } from "./question.ts";
import { createVoice } from "./voice.ts";

export interface ServicesDeps {
  rooms: HostedRooms;
  addresses: Addresses;
  component: string;
  /** Whether an XMPP user may enter rooms at all. */
  permits(jid: BareJid): boolean;
  permissions: Config["permissions"];
  config: Pick<Config["rooms"], "access" | "historyMessages" | "homeservers" | "powerLevels">;
  ghosts: Pick<Ghosts, "ensure" | "jidOf">;
  directRooms: Pick<DirectRooms, "open">;
  matrix: MatrixClient;
  xmpp: Pick<XmppClient, "send">;
  requests: Pick<IqRequests, "request">;
  store: Pick<Store, "ghosts" | "links">;
  avatars: DiscoDeps["avatars"];
  pictureOf(mxc: string): Promise<Photo | undefined>;
  photoOf(jid: BareJid): Promise<Photo | undefined>;
  /** A Matrix user's picture is another one than was known. */
  onPicture(userId: UserId): void;
  /** The bridge's answer to an IQ to itself or to a Matrix user. */
  answerOwn(request: Element): Promise<Element>;
  txnId(cause: string, part: string): string;
  log: Log;
}

export interface Services {
  /** Answers an IQ of type get or set to a room or an occupant, other than a ping to an occupant. */
  answerIq(request: Element): Promise<Element>;
  /**
   * A message to the room itself: invitations, their refusals, requests for voice.
   * @throws UndeliverableError, for the sender.
   */
  onMessage(message: Element, attempt: Attempt): Promise<void>;
  /** Whether a message to a Matrix user invites them to a Matrix room. */
  isInvitation(message: Element): boolean;
  /** @throws UndeliverableError, for the sender. */
  onInvitation(message: Element, attempt: Attempt): Promise<void>;
  /** A Matrix user has invited an XMPP user into a room with others. */
  onGhostInvited(event: MatrixEvent): Promise<void>;
  pictures: Pictures;
}

/** What a room answers as the bridge itself does. */
const usual = new Set(
  [`${NS.ping} ping`, `${NS.version} query`, `${NS.lastActivity} query`, `${NS.time} time`].map(
    (key) => `get ${key}`,
  ),
);

export function createServices(deps: ServicesDeps): Services {
  const { rooms, addresses, permits, permissions, config, ghosts, matrix, store, txnId, log } = deps;
  const { powerLevels } = config;
  const invitations = createInvitations({
    ...deps,
    isBlocked: (userId) => levelOf(permissions, userId) === "block",
    limit: createRateLimit({ points: 30, seconds: 600 }),
  });
  const admin = createAdmin({
    ...deps,
    powerLevels,
    invite: (question, to, reason) =>
      invitations.invite(question, { to, reason, cause: `${question.from} ${question.request.attrs.id}` }),
  });
  const onVoice = createVoice({
    ...deps,
    powerLevels,
    admin,
    limit: createRateLimit({ points: 1, seconds: 3600 }),
  });
  const profileFor = createProfiles({ bot: addresses.botUserId, matrix, ghosts: store.ghosts });
  const answers: RoomAnswers = {
    ...discoAnswers({ ...deps, profileFor, historyMessages: config.historyMessages }),
    ...archiveAnswers({
      ...deps,
      archived: ({ room, address, ghost }, event) => room.archived(event, address, ghost),
    }),
    ...admin.answers,
    ...ownerAnswers({ matrix }),
    ...registrationAnswers({ matrix, profileFor, ensureGhost: ({ jid }) => ghosts.ensure(jid) }),
    ...moderationAnswers({ matrix, txnId }),
  };
  const known = new Set(Object.keys(answers).map((key) => key.replace(/^[gs]et /, "")));
  const toOccupant = createOccupantIqs(deps);
  /** Each question about a room of another homeserver makes ours ask that one. */
  const ofStrangers = createRateLimit({ points: 60, seconds: 60 });
  /** Clients ask about every occupant. */
  const ofGuests = createRateLimit({ points: 1200, seconds: 60 });

  /** @throws IqRefusal. */
  const checkServer = (address: BareJid): void => {
    const called = addresses.roomOfJid(address);
    const server = called && domainOf(called);
    if (server !== undefined && !isServiceAllowed(config.homeservers, server)) {
      throw new IqRefusal("auth", "forbidden", `Rooms of ${server} cannot be entered through this bridge.`);
    }
  };

  /** @throws IqRefusal. */
  const checkLimit = async (jid: BareJid, isGuest: boolean): Promise<void> => {
    if ((await (isGuest ? ofGuests : ofStrangers).take(jid)) === undefined) return;
    throw new IqRefusal("wait", "resource-constraint", "You ask too much; wait a minute.");
  };

  /** @throws IqRefusal where there is no such room, or it is not for them. */
  const questionOf = async (
    request: Element,
    payload: Element,
    address = bareOf(request.attrs.to as Jid),
  ): Promise<Question> => {
    const from = request.attrs.from as Jid;
    const jid = bareOf(from);
    if (!permits(jid))
      throw new IqRefusal("auth", "forbidden", "You may not enter rooms through this bridge.");
    const guest = rooms.guestAt(address, from);
    if (!guest) checkServer(address);
    await checkLimit(jid, guest !== undefined);
    const found = await rooms.resolve(address);
    if (!found) throw new IqRefusal("cancel", "item-not-found", "There is no such room.");
    const link = await store.links.ofRoom(found.roomId);
    if (link) throw new IqRefusal("cancel", "item-not-found", `This room is ${link.muc}; enter that.`);
    return {
      request,
      payload,
      address,
      from,
      jid,
      ghost: addresses.ghostOf(jid),
      guest,
      room: rooms.of(found.roomId),
      servers: found.servers,
    };
  };

  const orUndeliverable = <T>(work: () => Promise<T>): Promise<T> =>
    work().catch((error) => {
      throw error instanceof IqRefusal ? asUndeliverable(error) : error;
    });

  const refused = (error: unknown): never => {
    throw asRefusal(error);
  };

  const toBridge = async (request: Element): Promise<Element> => {
    const asked = copyOf(request);
    asked.attrs.to = deps.component;
    const answer = await deps.answerOwn(asked);
    answer.attrs.from = request.attrs.to;
    return answer;
  };

  return {
    async answerIq(request) {
      const { type, to } = request.attrs;
      const [payload, ...more] = request.getChildElements();
      if (!payload || more.length > 0 || !parseJid(String(to))) {
        return errorReply(request, { type: "modify", condition: "bad-request" });
      }
      const key = `${payload.getNS()} ${payload.getName()}`;
      const nick = resourceOf(to as Jid);
      try {
        const question = await questionOf(request, payload);
        if (nick !== undefined) return await toOccupant(question, nick);
        if (usual.has(`${type} ${key}`)) return await toBridge(request);
        return await answerWith(request, async () => {
          const answer = answers[`${type} ${key}`];
          if (answer) return answer(question).catch(refused);
          if (known.has(key)) throw new IqRefusal("cancel", "not-allowed");
          throw new IqRefusal("cancel", "service-unavailable");
        });
      } catch (error) {
        const refusal = asRefusal(error);
        if (refusal instanceof IqRefusal) return errorReply(request, refusal.error);
        throw error;
      }
    },

    async onMessage(message, attempt) {
      const isDone = await orUndeliverable(async () => {
        const question = await questionOf(message, message);
        return (
          (await invitations.onRefusal(question, attempt)) ||
          (await invitations.onRequest(question, attempt)) ||
          (await onVoice(question, attempt))
        );
      });
      if (isDone) return;
      log.debug("left out: nothing that a room takes", { cause: attempt.cause });
      if (message.attrs.type === "error") return;
      throw asUndeliverable(
        new IqRefusal("cancel", "service-unavailable", "Messages to a room are of type groupchat."),
      );
    },

    isInvitation(message) {
      const invitation = readInvitation(message);
      const isToUser = addresses.userOfJid(message.attrs.to) !== undefined;
      return isToUser && invitation !== undefined && addresses.roomOfJid(invitation.muc) !== undefined;
    },
    async onInvitation(message, attempt) {
      const address = readInvitation(message)?.muc;
      if (!address) return;
      await orUndeliverable(async () =>
        invitations.onDirect(await questionOf(message, message, address), attempt),
      );
    },
    onGhostInvited: invitations.onGhostInvited,
    pictures: createPictures(deps),
  };
}
