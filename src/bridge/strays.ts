/** Answers that meet another process than the one that waits for them: the IDs of what they answer say which one that is. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Log } from "../ops/log.ts";

export interface StraysDeps {
  cluster: Pick<Cluster, "isAlone" | "processes" | "self" | "tell">;
  newId: () => string;
  log: Log;
}

export interface Strays {
  newId(): string;
  /**
   * Has the process that waits for it take an answer.
   * @param id of what was asked.
   * @returns false where that is this process, or nobody.
   */
  passOn(id: unknown, kind: string, payload: () => unknown): boolean;
}

export function createStrays({ cluster, newId, log }: StraysDeps): Strays {
  const give = async (owner: string, kind: string, payload: unknown): Promise<void> => {
    // Anybody may answer what nobody has asked.
    const isThere = (await cluster.processes()).some(({ id }) => id === owner);
    if (isThere) await cluster.tell(owner, kind, payload);
  };

  return {
    newId: () => `${cluster.self}.${newId()}`,
    passOn(id, kind, payload) {
      const [, owner] = (!cluster.isAlone() && typeof id === "string" && /^(\w+)\./.exec(id)) || [];
      if (owner === undefined || owner === cluster.self) return false;
      give(owner, kind, payload()).catch((error) => log.warn("an answer was not passed on", { kind, error }));
      return true;
    },
  };
}
