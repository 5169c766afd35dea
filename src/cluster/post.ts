/** What processes say to each other, by way of the database: told in order, and asked of the one that leads. */
import type { Log } from "../ops/log.ts";
import type { Postgres, Transaction } from "../store/postgres/connection.ts";
import type { Row } from "../store/tables.ts";
import { channel } from "./beat.ts";
import { type Answer, LeadLostError } from "./cluster.ts";
import { createRounds } from "./rounds.ts";

const notify = (tx: Transaction, whom: string): Promise<unknown> =>
  tx.all("select pg_notify(?, ?)", channel, whom);

export interface PostDeps {
  db: Pick<Postgres, "all" | "commit">;
  self: string;
  answerOf(kind: string): Answer | undefined;
  /** The term in which this process does what the one that leads is asked; undefined while it does not. */
  term(): number | undefined;
  log: Log;
}

interface Letter {
  recipient: string;
  kind: string;
  body: unknown;
  /** Of a question and of its answer. */
  question?: number;
  /** Of a question: the term of whom it is for. */
  term?: number;
}

interface Question {
  term: number;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

export function createPost({ db, self, answerOf, term, log }: PostDeps) {
  const questions = new Map<number, Question>();
  let asked = 0;
  /** Answers that could not be written: whoever asked would wait for ever. */
  let unsent: Letter[] = [];
  /** Taken up, and possibly in the database still. */
  const taken = new Set<number>();
  /** What was told is done in order. */
  let turn: Promise<unknown> = Promise.resolve();

  const send = ({ recipient, kind, body, question, term }: Letter): Promise<void> =>
    db.commit(async (tx) => {
      await tx.run(
        "insert into mail (recipient, sender, kind, body, question, term) values (?, ?, ?, ?, ?, ?)",
        recipient,
        self,
        kind,
        JSON.stringify(body) ?? null,
        question ?? null,
        term ?? null,
      );
      await notify(tx, recipient);
    }, false);

  const sendToOthers = (kind: string, body: unknown): Promise<void> =>
    db.commit(async (tx) => {
      await tx.run(
        `insert into mail (recipient, sender, kind, body)
         select id, cast(?1 as text), cast(?2 as text), cast(?3 as text) from processes where id <> ?1`,
        self,
        kind,
        JSON.stringify(body) ?? null,
      );
      await notify(tx, "others");
    }, false);

  const reply = async (letter: Letter): Promise<void> => {
    try {
      await send(letter);
    } catch {
      unsent.push(letter);
    }
  };

  const perform = async (kind: string, body: unknown): Promise<unknown> => {
    const answer = answerOf(kind);
    // Of a version that knows more, or less, than this one.
    if (!answer) throw new Error(`this process does not know what "${kind}" is`);
    return answer(body);
  };

  const answer = async (kind: string, body: unknown, recipient: string, question: number): Promise<void> => {
    const outcome = await perform(kind, body).then(
      (value) => ({ value }),
      (error) => ({ error: String(error?.message ?? error), isLeadLost: error instanceof LeadLostError }),
    );
    await reply({ recipient, kind: "answer", body: outcome, question });
  };

  const settle = (
    number: number,
    outcome: { value?: unknown; error?: string; isLeadLost?: boolean },
  ): void => {
    const question = questions.get(number);
    questions.delete(number);
    if (outcome.error === undefined) question?.resolve(outcome.value);
    else if (outcome.isLeadLost) question?.reject(new LeadLostError(outcome.error));
    else question?.reject(new Error(outcome.error));
  };

  const take = (row: Row, open: number | undefined): void => {
    const { kind, sender } = row as { kind: string; sender: string };
    const body = row.body === null ? undefined : JSON.parse(String(row.body));
    const question = row.question === null ? undefined : Number(row.question);
    if (question !== undefined && row.term === null) settle(question, body);
    else if (question === undefined) {
      turn = turn
        .then(() => perform(kind, body))
        .catch((error) =>
          log.warn("what another process told could not be done", { kind, process: sender, error }),
        );
    } else if (Number(row.term) === open) {
      // Only its start is in order: what comes behind it does not wait for the answer.
      turn = turn.then(() => void answer(kind, body, sender, question));
    }
    // Any other question was for one that led before, and its asker knows that this one is gone.
  };

  /** Selects and deletes never overlap, else what was deleted meanwhile would be taken for new. */
  const look = createRounds(async () => {
    const open = term();
    const rows = await db.all(
      "select id, sender, kind, body, question, term from mail where recipient in (?, ?) order by id",
      self,
      open === undefined ? self : "lead",
    );
    for (const row of rows) {
      if (taken.has(Number(row.id))) continue;
      taken.add(Number(row.id));
      take(row, open);
    }
    if (taken.size === 0) return;
    const ids = [...taken];
    await db.commit(
      (tx) =>
        tx.run(
          "delete from mail where id in (select cast(json_array_elements_text(cast(? as json)) as bigint))",
          JSON.stringify(ids),
        ),
      false,
    );
    for (const id of ids) taken.delete(id);
  });

  return {
    tell: (to: string, kind: string, payload: unknown): Promise<void> =>
      to === "others" ? sendToOthers(kind, payload) : send({ recipient: to, kind, body: payload }),

    ask: (kind: string, payload: unknown, term: number): Promise<unknown> =>
      new Promise((resolve, reject) => {
        asked += 1;
        const question = asked;
        questions.set(question, { term, resolve, reject });
        send({ recipient: "lead", kind, body: payload, question, term }).catch((error) => {
          questions.delete(question);
          reject(error);
        });
      }),

    /** Takes up what is there. */
    look,

    /** As `look`, and waits until all that was told before has been done. */
    async caughtUp(): Promise<void> {
      await look();
      await turn;
    },

    /** Nobody answers what was asked in another term than this one. */
    lose(current: number | undefined): void {
      for (const [number, { term, reject }] of questions) {
        if (term === current) continue;
        questions.delete(number);
        reject(new LeadLostError("the process that was asked leads no longer"));
      }
    },

    /** The database may have lost some of what was asked until now, or its answers: what has none by then has none. */
    doubt(withinMs: number): void {
      const last = asked;
      const give = (): void => {
        for (const [number, { reject }] of questions) {
          if (number > last) return;
          questions.delete(number);
          reject(new LeadLostError("the database was away, and no answer came afterwards"));
        }
      };
      if (questions.size > 0) setTimeout(give, withinMs).unref();
    },

    /** The database answers. */
    reached(): void {
      const letters = unsent;
      unsent = [];
      for (const letter of letters) void reply(letter);
    },
  };
}
