/** One XMPP session of a scenario: what the bridge sent to it, and how far the script has read. */
import { type Element, parse } from "ltx";
import type { XmppUser } from "../servers/xmpp-user.ts";
import { mismatchOf, type Names, parsePattern } from "./pattern.ts";

const mucUser = "http://jabber.org/protocol/muc#user";
/** Bodies that only show how far things have got. */
const isMarker = (stanza: Element): boolean => stanza.getChildText("body")?.startsWith("marker ") === true;

export interface Session {
  user: XmppUser;
  send: (text: string) => Promise<void>;
  /** The next stanza has to match. */
  expect: (pattern: string, names: Names) => Promise<void>;
  /** The next stanzas are these, each once, in any order. */
  expectAll: (patterns: string[], names: Names) => Promise<void>;
  /** Reads on until one matches. */
  expectAtLast: (pattern: string, names: Names) => Promise<void>;
  /** Nothing may be left to read when the marker has come. */
  expectNothing: (hasMarker: (stanza: Element) => boolean) => Promise<void>;
  /** @throws where those words came more than once. */
  assertHeardOnce: (words: string) => void;
  isIn: (room: string) => boolean;
  transcript: () => string;
}

export function createSession(user: XmppUser, component: string): Session {
  let read = 0;
  const log: string[] = [];
  const isOfBridge = ({ attrs }: Element): boolean => {
    const bare = String(attrs.from ?? "").replace(/\/.*$/s, "");
    return bare === component || bare.endsWith(`@${component}`);
  };
  const heard = (): Element[] => user.messages.filter((stanza) => isOfBridge(stanza) && !isMarker(stanza));
  const next = async (): Promise<Element> => {
    await user
      .waitFor(() => heard().length > read)
      .catch(() => {
        throw new Error("nothing has come");
      });
    const stanza = heard()[read] as Element;
    read += 1;
    log.push(`  < ${stanza}`);
    return stanza;
  };
  const fail = (expected: string, problem: string): never => {
    throw new Error(`${problem}\nexpected: ${expected}`);
  };

  return {
    user,
    async send(text) {
      const stanza = parsePattern(text);
      if (stanza.is("iq") && stanza.attrs.id === undefined) stanza.attrs.id = `iq${log.length}`;
      log.push(`  > ${stanza}`);
      await user.send(parse(String(stanza)));
    },
    async expect(text, names) {
      const problem = mismatchOf(parsePattern(text), await next(), names);
      if (problem !== undefined) fail(text, problem);
    },
    async expectAll(texts, names) {
      const left = new Set(texts);
      while (left.size > 0) {
        const stanza = await next();
        const found = [...left].find((text) => mismatchOf(parsePattern(text), stanza, names) === undefined);
        if (found === undefined) fail([...left].join("\n          "), "this is none of those that are due");
        else left.delete(found);
      }
    },
    async expectAtLast(text, names) {
      const pattern = parsePattern(text);
      for (;;) if (mismatchOf(pattern, await next(), names) === undefined) return;
    },
    async expectNothing(hasMarker) {
      await user.waitFor(hasMarker);
      const more = heard().slice(read);
      if (more.length > 0) fail("nothing", more.join("\n"));
    },
    assertHeardOnce(words) {
      const times = heard().filter((stanza) => String(stanza).includes(words)).length;
      if (times !== 1) throw new Error(`heard ${times} times`);
    },
    isIn(room) {
      const own = heard().filter(
        (stanza) =>
          stanza.is("presence") &&
          String(stanza.attrs.from).startsWith(`${room}/`) &&
          stanza
            .getChild("x", mucUser)
            ?.getChildren("status")
            .some(({ attrs }) => attrs.code === "110"),
      );
      const last = own.at(-1);
      return last !== undefined && last.attrs.type === undefined;
    },
    transcript: () => log.join("\n"),
  };
}
