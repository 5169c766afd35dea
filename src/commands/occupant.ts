/** The commands of Matrix users about themselves as occupants of a linked room: what they are called, and whether they may speak. */
import { voiceRequest } from "../mapping/voice-requests.ts";
import type { UserId } from "../matrix/ids.ts";
import type { Rooms } from "../rooms/rooms.ts";
import type { XmppClient } from "../xmpp/client.ts";
import { type Caller, type Command, CommandRefusal } from "./command.ts";
import type { Targets } from "./targets.ts";

export interface OccupantCommandsDeps {
  bot: UserId;
  targets: Pick<Targets, "linkOr">;
  rooms: Pick<Rooms, "links" | "puppets">;
  xmpp: Pick<XmppClient, "send">;
  newId(): string;
}

export function createOccupantCommands({
  bot,
  targets,
  rooms,
  xmpp,
  newId,
}: OccupantCommandsDeps): Command[] {
  const isInLinkedRoom = ({ place }: Caller): boolean =>
    place?.roomId !== undefined && rooms.links.ofRoom(place.roomId) !== undefined;

  const voice: Command = {
    name: "voice",
    summary: "asks the moderators of the XMPP room to let you speak",
    fields: [],
    examples: ["voice"],
    network: "matrix",
    permits: isInLinkedRoom,
    async run(caller) {
      if (caller.network !== "matrix") throw new CommandRefusal("Ask for it with your client.");
      const link = await targets.linkOr(caller, undefined);
      const from = await rooms.puppets.ensure(link, link.mode === "relay" ? bot : caller.userId);
      await xmpp.send(voiceRequest({ from, to: link.muc, id: newId() }));
      return { text: `I have asked the moderators of ${link.muc}. Once they agree, you can write.` };
    },
  };

  const nick: Command = {
    name: "nick",
    summary: "shows or changes what you are called in the XMPP room",
    fields: [{ name: "new", label: "New name" }],
    examples: ["nick", "nick Juliet"],
    network: "matrix",
    permits: isInLinkedRoom,
    async run(caller, { new: wanted }) {
      if (caller.network !== "matrix") throw new CommandRefusal("Change it with your client.");
      const link = await targets.linkOr(caller, undefined);
      if (link.mode === "relay")
        return { text: "The bot speaks for everybody here, and names you as Matrix does." };
      if (wanted !== undefined) await rooms.puppets.rename(link, caller.userId, wanted);
      const present = rooms.puppets.nickOf(link.muc, caller.userId);
      if (!present) return { text: `You are not in ${link.muc} yet; write something, and you are.` };
      const isOther = wanted !== undefined && present !== wanted;
      const why = isOther ? " The name that you gave is taken there, or cannot be one." : "";
      return { text: `You are called ${present} in ${link.muc}.${why}` };
    },
  };

  return [nick, voice];
}
