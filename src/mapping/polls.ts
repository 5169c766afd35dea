/** Polls: m.poll.start and m.poll.response (MSC3381, stable and unstable names) told in words, since XMPP has none. */
import { type Content, isObject, type MatrixEvent, readString } from "../matrix/event.ts";
import { type EventId, parseEventId } from "../matrix/ids.ts";

interface Poll {
  question: string;
  /** Text by ID, in their order. */
  answers: Map<string, string>;
}

const unstable = "org.matrix.msc3381.poll";

/** Of a poll's texts, in either form of extensible events. */
function textOf(value: unknown): string | undefined {
  if (!isObject(value)) return undefined;
  const [first] = Array.isArray(value["m.text"]) ? value["m.text"] : [value["m.text"]];
  const stable = isObject(first) ? readString(first, "body") : readString(value, "m.text");
  return stable ?? readString(value, "org.matrix.msc1767.text") ?? readString(value, "body");
}

/** More than a person can choose from. */
const mostAnswers = 50;

export function readPoll({ type, content }: MatrixEvent): Poll | undefined {
  if (type !== "m.poll.start" && type !== `${unstable}.start`) return undefined;
  const poll = content["m.poll"] ?? content["m.poll.start"] ?? content[`${unstable}.start`];
  if (!isObject(poll)) return undefined;
  const question = textOf(poll.question);
  const given = Array.isArray(poll.answers) ? poll.answers.slice(0, mostAnswers) : [];
  const answers = given.flatMap((answer): [string, string][] => {
    const text = textOf(answer);
    const id = isObject(answer) ? (readString(answer, "m.id") ?? readString(answer, "id")) : undefined;
    return id === undefined || text === undefined ? [] : [[id, text]];
  });
  return question === undefined ? undefined : { question, answers: new Map(answers) };
}

/** The question, and below it the answers with their numbers. */
export const pollBody = ({ question, answers }: Poll): string =>
  [`Poll: ${question}`, ...[...answers.values()].map((text, index) => `${index + 1}. ${text}`)].join("\n");

/** The poll that an event is a vote in, and the IDs of the answers. */
export function readVote({ type, content }: MatrixEvent): { poll: EventId; answers: string[] } | undefined {
  if (type !== "m.poll.response" && type !== `${unstable}.response`) return undefined;
  const relation: Content = isObject(content["m.relates_to"]) ? content["m.relates_to"] : {};
  const poll = parseEventId(readString(relation, "event_id") ?? "");
  const response = content[`${unstable}.response`];
  const chosen = content["m.selections"] ?? (isObject(response) ? response.answers : undefined);
  const answers = (Array.isArray(chosen) ? chosen : []).filter((id) => typeof id === "string");
  return poll && { poll, answers: answers.slice(0, mostAnswers) };
}

/** What a vote says, as an emote; without the poll, that there was one. */
export function voteContent(answers: readonly string[], poll: Poll | undefined): Content {
  const words = answers.flatMap((id) => poll?.answers.get(id) ?? []);
  const without = answers.length === 0 ? "took back a vote" : "voted in a poll";
  return { msgtype: "m.emote", body: words.length > 0 ? `voted for: ${words.join(", ")}` : without };
}
