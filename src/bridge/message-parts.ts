/** What makes messages of one side into those of the other and remembers them, put together. */
import { createLaterChanges, type LaterChanges, type LaterChangesDeps } from "./later-changes.ts";
import { createMemory } from "./memory.ts";
import { createToMatrix, type ToMatrix, type ToMatrixDeps } from "./to-matrix.ts";
import { createToXmpp, type ToXmpp, type ToXmppDeps } from "./to-xmpp.ts";

type Made = "memory" | "messages";
type MessagePartsDeps = Omit<ToXmppDeps, Made> & Omit<ToMatrixDeps, Made> & Omit<LaterChangesDeps, Made>;

export interface MessageParts {
  toXmpp: ToXmpp;
  toMatrix: ToMatrix;
  changes: LaterChanges;
}

export function createMessageParts(deps: MessagePartsDeps): MessageParts {
  const { messages } = deps.store;
  const memory = createMemory({ ...deps, messages });
  return {
    toXmpp: createToXmpp({ ...deps, memory }),
    toMatrix: createToMatrix({ ...deps, memory, messages }),
    changes: createLaterChanges({ ...deps, memory }),
  };
}
