/** What the bridge says about itself, and about the room where it is asked. */
import type { ProcessInfo } from "../cluster/cluster.ts";
import type { RoomId } from "../matrix/ids.ts";
import type { Occupancy } from "../store/overview-records.ts";
import type { RoomLink } from "../store/room-records.ts";
import type { ParkedJob, WaitingJob } from "../store/store.ts";
import type { BareJid } from "../xmpp/jid.ts";
import { written } from "./chat.ts";
import type { Caller, Command } from "./command.ts";
import { ageOf } from "./lists.ts";
import { isOfPlace } from "./queue.ts";
import type { Targets } from "./targets.ts";

export interface RoomHealth extends Occupancy {
  link: RoomLink;
}

export interface StatusDeps {
  /** The parts of the bridge that something is wrong with, each with what it is. */
  problems(): Record<string, string>;
  /** All that run the bridge together. */
  processes(): Promise<readonly ProcessInfo[]>;
  /** Unix time in milliseconds. */
  now: () => number;
  parked(): Promise<ParkedJob[]>;
  queued(): Promise<WaitingJob[]>;
  targets: Pick<Targets, "roomOr">;
  healthOf(link: RoomLink): Promise<RoomHealth>;
  /** Where XMPP users enter a Matrix room that is not linked, and how many have; undefined where they cannot. */
  doorOf(roomId: RoomId): Promise<{ address: BareJid; guests: number } | undefined>;
  /** Codes of links that are not agreed to yet, and with which room. */
  pending(caller: Caller): Promise<string[]>;
}

/** Nothing where there is nothing to tell. */
const countOf = (count: number, one: string, many: string): string[] =>
  count === 0 ? [] : [count === 1 ? `One ${one}` : `${count} ${many}`];

const processLine = ({ id, host, version, startedAt, isLead }: ProcessInfo, now: number): string =>
  `${id} on ${host}, version ${version}, up for ${ageOf(now - startedAt)}${isLead ? ", leads" : ""}`;

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

  const aboutUnlinked = async (caller: Caller): Promise<string[]> => {
    const door = caller.place?.roomId && (await deps.doorOf(caller.place.roomId));
    const guests = door && door.guests > 0 ? `; in there now: ${door.guests}` : "";
    return [
      `This room is not linked. To link it: ${written(caller, "link ROOM")}`,
      ...(door ? [`XMPP users enter it as ${door.address}${guests}`] : []),
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
      ...(link ? aboutLink(await deps.healthOf(link)) : await aboutUnlinked(caller)),
      ...(await deps.pending(caller)),
      ...countOf(
        waiting.length,
        `message waits to be delivered: ${written(caller, "queue")}`,
        `messages wait to be delivered: ${written(caller, "queue")}`,
      ),
      ...countOf(
        parked.length,
        `message was given up: ${written(caller, "parked")}`,
        `messages were given up: ${written(caller, "parked")}`,
      ),
    ];
  };

  /** Who would mend it, where it runs on several machines. */
  const aboutProcesses = async (caller: Caller): Promise<string[]> => {
    if (caller.level !== "admin" || caller.place) return [];
    const all = await deps.processes();
    return all.length < 2 ? [] : ["Processes:", ...all.map((one) => processLine(one, deps.now()))];
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
      const well = caller.place ? "The bridge itself is well." : "All is well.";
      const lines = [...(await aboutRoom(caller)), ...(health.length === 0 ? [well] : health)];
      lines.push(...(await aboutProcesses(caller)));
      return { text: lines.join("\n") };
    },
  };
}
