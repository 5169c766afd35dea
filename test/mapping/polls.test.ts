import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { pollBody, readPoll, readVote, voteContent } from "../../src/mapping/polls.ts";
import type { MatrixEvent } from "../../src/matrix/event.ts";

const event = (type: string, content: object): MatrixEvent =>
  ({
    event_id: "$1",
    type,
    room_id: "!r:hs.test",
    sender: "@juliet:hs.test",
    origin_server_ts: 0,
    content,
  }) as MatrixEvent;

const unstable = event("org.matrix.msc3381.poll.start", {
  "org.matrix.msc3381.poll.start": {
    question: { "org.matrix.msc1767.text": "Who is it?", body: "Who is it?" },
    answers: [
      { id: "a", "org.matrix.msc1767.text": "The nightingale" },
      { id: "b", "org.matrix.msc1767.text": "The lark" },
    ],
  },
});
const stable = event("m.poll.start", {
  "m.text": [{ body: "fallback" }],
  "m.poll": {
    question: { "m.text": [{ body: "Who is it?" }] },
    answers: [
      { "m.id": "a", "m.text": [{ body: "The nightingale" }] },
      { "m.id": "b", "m.text": [{ body: "The lark" }] },
    ],
  },
});

test("a poll is its question and its numbered answers, under stable and unstable names", () => {
  for (const start of [unstable, stable]) {
    const poll = readPoll(start);
    assert.equal(poll && pollBody(poll), "Poll: Who is it?\n1. The nightingale\n2. The lark");
  }
});

test("a vote names its answer, or says as much as is known", () => {
  const relation = { "m.relates_to": { rel_type: "m.reference", event_id: "$1" } };
  const votes = [
    event("org.matrix.msc3381.poll.response", {
      ...relation,
      "org.matrix.msc3381.poll.response": { answers: ["b"] },
    }),
    event("m.poll.response", { ...relation, "m.selections": ["b"] }),
  ];
  for (const vote of votes) {
    const read = readVote(vote);
    assert.deepEqual(read, { poll: "$1", answers: ["b"] });
    const said = (answers: string[], poll = readPoll(stable)) => voteContent(answers, poll).body;
    assert.equal(said(["b"]), "voted for: The lark");
    assert.equal(said(["z"]), "voted in a poll");
    assert.equal(said([]), "took back a vote");
    assert.equal(voteContent(["b"], undefined).body, "voted in a poll");
  }
});

test("whatever a poll or a vote holds, it is read or left alone", () => {
  fc.assert(
    fc.property(
      fc.object({
        key: fc.constantFrom(
          "m.poll",
          "question",
          "answers",
          "m.text",
          "m.id",
          "body",
          "m.relates_to",
          "m.selections",
          "event_id",
        ),
      }),
      (content) => {
        const poll = readPoll(event("m.poll.start", content));
        if (poll) assert.match(pollBody(poll), /^Poll: /);
        const vote = readVote(event("m.poll.response", content));
        if (vote) assert.equal(typeof voteContent(vote.answers, poll).body, "string");
      },
    ),
  );
});
