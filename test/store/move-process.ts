/** One call of the move as a process of its own, which a test may end in the midst of it. */
import { moveToPostgres } from "../../src/store/postgres/move.ts";
import { createLogLines } from "../support/log-lines.ts";

const [from = "", to = "", rows = ""] = process.argv.slice(2);
await moveToPostgres({
  from,
  to,
  installation: { homeserver: "hs.example", component: "bridge.xmpp.example" },
  now: Date.now,
  log: createLogLines().log,
  tell: (line) => void process.stdout.write(`${line}\n`),
  rowsTogether: Number(rows),
});
