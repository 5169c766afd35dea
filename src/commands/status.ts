/** What the bridge says about itself, and about the room where it is asked. */
import type { RoomLink } from "../store/room-records.ts";
import type { ParkedJob, WaitingJob } from "../store/store.ts";
import type { Caller, Command } from "./command.ts";
import { isOfPlace } from "./queue.ts";
import type { Targets } from "./targets.ts";

export interface RoomHealth {
  link: RoomLink;
  /** Whether the bot is in the XMPP room. */
  isHeard: boolean;
  /** Occupants from each side. */
  fromXmpp: number;
  fromMatrix: number;
}

export interface StatusDeps {
  /** The parts of the bridge that something is wrong with, each with what it is. */
  problems(): Record<string, string>;
  parked(): Promise<ParkedJob[]>;
  queued(): Promise<WaitingJob[]>;
  targets: Pick<Targets, "roomOr">;
  healthOf(link: RoomLink): Promise<RoomHealth>;
  /** Codes of links that are not agreed to yet, and with which room. */
  pending(caller: Caller): Promise<string[]>;
}

const countOf = (count: number, one: string, many: string): string =>
  count === 1 ? `One ${one}` : `${count === 0 ? "No" : count} ${many}`;

export function createStatus(deps: StatusDeps): Command {
  const aboutLink = ({ link, isHeard, fromXmpp, fromMatrix }: RoomHealth): string[] => {
    const how =
      link.mode === "relay" ? "the bot speaks for all Matrix users there" : `${fromMatrix} from Matrix there`;
    return [
      `This room is linked with ${link.muc} (${link.kind}): ${fromXmpp} from XMPP here, ${how}.`,
      ...(isHeard
        ? []
        : [`The bot is not in ${link.muc} now, so nothing comes from there; it tries to get in.`]),
    ];
  };

  const aboutRoom = async (caller: Caller): Promise<string[]> => {
    if (!caller.place) return [];
    const { link } = await deps.targets.roomOr(caller, undefined);
    const waiting = (await deps.queued()).filter(
      ({ lane, attempts }) => attempts > 0 && isOfPlace(caller, lane),
    );
    const parked = (await deps.parked()).filter(({ lane }) => isOfPlace(caller, lane));
    return [
      ...(link ? aboutLink(await deps.healthOf(link)) : ["This room is not linked; to link it: link ROOM"]),
      ...(await deps.pending(caller)),
      `${countOf(waiting.length, "message waits", "messages wait")} to be delivered, ` +
        `${parked.length === 1 ? "one was" : `${parked.length || "none"} were`} given up.`,
    ];
  };

  return {
    name: "status",
    summary: "says what this room is linked with, and whether the bridge is well",
    fields: [],
    examples: ["status"],
    async run(caller) {
      const problems = Object.entries(deps.problems());
      // What is wrong in detail is for those who can mend it.
      const health = problems.map(([part, problem]) =>
        caller.level === "admin" && !caller.place
          ? `${part}: ${problem}`
          : `Something is wrong with this part: ${part}`,
      );
      const lines = [...(await aboutRoom(caller)), ...(health.length === 0 ? ["All is well."] : health)];
      return { text: lines.join("\n") };
    },
  };
}
