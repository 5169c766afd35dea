/** The configuration of a hosted room by its owners: XEP-0045 1.35 §10. */
import type { RoomState } from "../bridge/room-state.ts";
import { readForm } from "../mapping/data-forms.ts";
import { type Configured, configForm, readConfig } from "../mapping/room-config.ts";
import type { MatrixClient } from "../matrix/client.ts";
import { IqRefusal } from "../xmpp/iq-answer.ts";
import { NS } from "../xmpp/namespaces.ts";
import { xml } from "../xmpp/stanza.ts";
import { type Question, type RoomAnswers, refusalOf, stateFor } from "./question.ts";

export interface OwnerDeps {
  matrix: Pick<MatrixClient, "isListed" | "setListed" | "setState">;
}

export function ownerAnswers({ matrix }: OwnerDeps): RoomAnswers {
  /** @throws IqRefusal for all but owners. */
  const stateForOwner = async (question: Question): Promise<RoomState> => {
    const state = await stateFor(question);
    if ((await question.room.rankOf(question.ghost)).affiliation === "owner") return state;
    throw new IqRefusal("auth", "forbidden", "Only owners may configure the room.");
  };

  const configured = async (state: RoomState): Promise<Configured> => {
    const { name, topic, joinRule, historyVisibility, powerLevels, roomId } = state;
    const isListed = await matrix.isListed(roomId).catch(() => undefined);
    return { name, topic, joinRule, historyVisibility, powerLevels, isListed };
  };

  return {
    [`get ${NS.mucOwner} query`]: async (question) => {
      const state = await stateForOwner(question);
      if (question.payload.getChildElements().length > 0) throw new IqRefusal("modify", "bad-request");
      return configForm(await configured(state));
    },

    [`set ${NS.mucOwner} query`]: async (question) => {
      const { payload, ghost, room } = question;
      const state = await stateForOwner(question);
      if (payload.getChild("destroy")) {
        throw new IqRefusal(
          "cancel",
          "not-allowed",
          "A Matrix room cannot be destroyed; whoever leaves is rid of it.",
        );
      }
      const form = readForm(payload);
      if (!form || (form.type !== "submit" && form.type !== "cancel")) {
        throw new IqRefusal("modify", "bad-request", "A form that is submitted or cancelled belongs here.");
      }
      if (form.type === "cancel") return undefined;
      const changes = readConfig(form, await configured(state));
      if ("condition" in changes) throw refusalOf(changes);
      const types = Object.keys(changes.state);
      const refused = types.find((type) => !state.maySetState(ghost, type));
      if (refused !== undefined) throw new IqRefusal("auth", "forbidden", "You may not change all of that.");
      for (const type of types) await matrix.setState(ghost, room.roomId, type, changes.state[type] ?? {});
      if (changes.isListed !== undefined) await matrix.setListed(ghost, room.roomId, changes.isListed);
      return undefined;
    },
  };
}

/** Asking to be let in, for rooms that one may knock on: XEP-0045 1.35 §7.10 by XEP-0077. */
export function registrationAnswers(deps: {
  matrix: Pick<MatrixClient, "knock">;
  ensureGhost(question: Question): Promise<unknown>;
  profileFor(question: Question): Promise<{ joinRule: string; membership: string | undefined } | undefined>;
}): RoomAnswers {
  const knockable = async (question: Question) => {
    const profile = await deps.profileFor(question);
    if (!profile) throw new IqRefusal("cancel", "item-not-found");
    return { membership: profile.membership, mayKnock: profile.joinRule.startsWith("knock") };
  };
  const closed = () => new IqRefusal("cancel", "not-allowed", "Nobody can register with this room.");

  return {
    [`get ${NS.register} query`]: async (question) => {
      const { membership, mayKnock } = await knockable(question);
      if (membership === "join") {
        const nick = await question.room.nickOf(question.ghost);
        return xml("query", { xmlns: NS.register }, xml("registered"), xml("username", {}, nick));
      }
      if (!mayKnock) throw closed();
      const instructions = "Whoever is let in will be invited. Send this to ask for it.";
      return xml("query", { xmlns: NS.register }, xml("instructions", {}, instructions), xml("username"));
    },

    [`set ${NS.register} query`]: async (question) => {
      const { membership, mayKnock } = await knockable(question);
      if (question.payload.getChild("remove")) throw closed();
      if (membership === "join" || membership === "knock" || membership === "invite") return undefined;
      if (!mayKnock) throw closed();
      await deps.ensureGhost(question);
      await deps.matrix.knock(question.ghost, question.room.roomId);
      return undefined;
    },
  };
}
