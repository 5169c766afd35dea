/** The commands that link rooms of both networks, once both sides have agreed, and that undo it. */
import { mayOpen } from "../config/permissions.ts";
import type { Config } from "../config/schema.ts";
import type { Addresses } from "../mapping/addresses.ts";
import type { Agreement, Outcome } from "../rooms/agreement.ts";
import type { Party } from "../rooms/link-checks.ts";
import { written } from "./chat.ts";
import { type Caller, type Command, CommandRefusal, type Reply } from "./command.ts";
import { looksLikeMatrixRoom, type Targets } from "./targets.ts";

export interface LinkCommandsDeps {
  addresses: Addresses;
  rules: Pick<Config["rooms"], "access">;
  targets: Targets;
  agreement: Agreement;
}

const isInCharge = (affiliation: string): boolean => affiliation === "owner" || affiliation === "admin";

/** What the other rooms' people are told somebody is, who counts only by what the room says of them. */
const partyOf = (caller: Caller): Party => {
  const isAdmin = caller.level === "admin";
  if (caller.network === "matrix") return { network: "matrix", userId: caller.userId, isAdmin };
  const { jid, occupant, place } = caller;
  if (!occupant || !place?.muc) return { network: "xmpp", jid, isAdmin };
  return {
    network: "xmpp",
    jid,
    isAdmin,
    occupant: { muc: place.muc, isInCharge: isInCharge(occupant.affiliation) },
  };
};

const isMode = (word: string): boolean => /^(?:relay|puppets)$/i.test(word);
const modeField = {
  name: "mode",
  label: "relay, where the bot alone shall speak for all Matrix users, or puppets",
  fits: isMode,
};
const modeOf = (text: string | undefined): "relay" | "puppets" | undefined => {
  const mode = text?.toLowerCase();
  if (mode === undefined || mode === "relay" || mode === "puppets") return mode;
  throw new CommandRefusal("The mode is relay or puppets.");
};

export function createLinkCommands(deps: LinkCommandsDeps): Command[] {
  const { addresses, rules, targets, agreement } = deps;
  const permits = ({ level }: Caller): boolean => mayOpen(rules, level, "link");

  const outcomeText = (caller: Caller, outcome: Outcome): Reply => {
    if (outcome.kind === "unchanged") return { text: `It is linked with ${outcome.link.muc} already.` };
    // The rest the bot says to all, on both sides.
    if (outcome.kind === "linked") return { text: "Done." };
    const { code, side } = outcome;
    const who =
      side === "xmpp"
        ? `I have asked in the XMPP room. An owner or admin of it answers there: !xmpp agree ${code}`
        : `I have asked in the Matrix room. Somebody who may change its settings answers there: !xmpp agree ${code}`;
    return { text: `${who}\nThey have a day for it. To take it back: ${written(caller, `refuse ${code}`)}` };
  };

  const link: Command = {
    name: "link",
    summary: "makes a Matrix room and an XMPP room one, when both sides agree; or changes the mode of a link",
    fields: [
      {
        name: "room",
        label: "Address of the XMPP room",
        fits: (word) => !looksLikeMatrixRoom(word) && !isMode(word),
      },
      { name: "matrix-room", label: "Address of the Matrix room", fits: looksLikeMatrixRoom },
      modeField,
      { name: "password", label: "Password of the XMPP room, where it takes one", secret: true },
    ],
    examples: [
      "link garden@conference.xmpp.example",
      "link garden@conference.xmpp.example #garden:matrix.example",
      "link garden@conference.xmpp.example relay",
      "link garden@conference.xmpp.example #garden:matrix.example PASSWORD",
    ],
    permits,
    async run(caller, { room, "matrix-room": matrixRoom, mode, password }) {
      const muc = room === undefined ? caller.place?.muc : (await targets.room(room)).muc;
      if (!muc) throw new CommandRefusal(`Name the XMPP room, as in: link garden@conference.xmpp.example`);
      const target = matrixRoom === undefined ? undefined : await targets.room(matrixRoom);
      const roomId = target ? target.roomId : caller.place?.roomId;
      if (!roomId) {
        throw new CommandRefusal(
          `Name the Matrix room too, as in: link ${muc} #garden:matrix.example\n` +
            `Or invite ${addresses.botUserId} into it and write there: !xmpp link ${muc}`,
        );
      }
      const wish = { roomId, muc, password, mode: modeOf(mode) };
      return outcomeText(caller, await agreement.ask(wish, partyOf(caller)));
    },
  };

  const unlink: Command = {
    name: "unlink",
    summary: "ends the link of this room, or of another, on both sides",
    fields: [{ name: "room", label: "Address of the room on either network" }],
    examples: ["unlink", "unlink garden@conference.xmpp.example"],
    async run(caller, { room }) {
      const found = await targets.linkOr(caller, room);
      const here = caller.network === "matrix" ? caller.place?.roomId : undefined;
      await agreement.end(found, partyOf(caller), here);
      return { text: `Done: ${found.muc} is not linked any more.` };
    },
  };

  const code = { name: "code", label: "Code of the request", required: true };
  const agree: Command = {
    name: "agree",
    summary: "agrees to a link that was asked for",
    fields: [code, modeField],
    examples: ["agree 3F9A0C", "agree 3F9A0C relay"],
    run: async (caller, { code = "", mode }) =>
      outcomeText(caller, await agreement.agree(code, partyOf(caller), modeOf(mode))),
  };

  const refuse: Command = {
    name: "refuse",
    summary: "refuses a link that was asked for, or takes the wish back",
    fields: [code],
    examples: ["refuse 3F9A0C"],
    async run(caller, { code = "" }) {
      const { muc } = await agreement.refuse(code, partyOf(caller));
      return { text: `${muc} will not be linked.` };
    },
  };

  return [link, unlink, agree, refuse];
}
