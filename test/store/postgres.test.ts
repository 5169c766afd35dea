/** The store's contract on PostgreSQL. */
import { type TestContext, test } from "node:test";
import { createLog } from "../../src/ops/log.ts";
import { openPostgresStore } from "../../src/store/postgres/postgres.ts";
import type { Store } from "../../src/store/store.ts";
import { newDatabase, postgresMissing } from "../support/postgres.ts";
import { testStore } from "./contract.ts";

const log = createLog({ level: "error", format: "text", now: () => Date.now() });
const installation = { homeserver: "hs.example", component: "matrix.example" };

const missing = postgresMissing();
if (missing !== undefined) test("the store's contract on PostgreSQL", { skip: missing });
else {
  testStore("PostgreSQL", async (t: TestContext, clock) => {
    const database = await newDatabase(t);
    if ("missing" in database) throw new Error(database.missing);
    let current: Store | undefined;
    const open = async (): Promise<Store> => {
      const { store } = await openPostgresStore({
        url: database.url,
        now: () => clock.ms,
        log,
        installation,
      });
      current = store;
      return store;
    };
    t.after(() => current?.close());
    return {
      store: await open(),
      async reopen() {
        await current?.close();
        return open();
      },
    };
  });
}
