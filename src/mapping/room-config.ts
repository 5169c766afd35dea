/**
 * The configuration form of a hosted room (XEP-0045 1.35 §10.2) over its state on Matrix (Client-Server API v1.15, "Room
 * events"): name, topic, who may enter, speak, invite and change the topic, and who sees the history.
 */
import type { Content } from "../matrix/event.ts";
import { isObject } from "../matrix/event.ts";
import { NS } from "../xmpp/namespaces.ts";
import { type Element, type StanzaError, xml } from "../xmpp/stanza.ts";
import { levelToSpeak, numberIn } from "./affiliations.ts";
import { type FormField, type FormValues, formElement, type ReadForm, readFlag } from "./data-forms.ts";

/** The room as it is. */
export interface Configured {
  name: string | undefined;
  topic: string | undefined;
  joinRule: string;
  historyVisibility: string;
  powerLevels: Content;
  /** In the homeserver's directory; undefined where that cannot be asked. */
  isListed: boolean | undefined;
}

export interface ConfigChanges {
  /** State events with an empty state key, by type. */
  state: Record<string, Content>;
  /** What becomes of the entry in the directory; undefined where it stays as it is. */
  isListed: boolean | undefined;
}

const usualOf = (levels: Content): number => numberIn(levels, "users_default") ?? 0;
const levelFor = (levels: Content, type: string): number =>
  numberIn(levels.events, type) ?? numberIn(levels, "state_default") ?? 50;

/** Below which somebody who only is in the room can do nothing. */
const raised = 50;

const names = {
  name: "muc#roomconfig_roomname",
  topic: "muc#roomconfig_roomdesc",
  listed: "muc#roomconfig_publicroom",
  persistent: "muc#roomconfig_persistentroom",
  moderated: "muc#roomconfig_moderatedroom",
  membersOnly: "muc#roomconfig_membersonly",
  changeSubject: "muc#roomconfig_changesubject",
  invites: "muc#roomconfig_allowinvites",
  logging: "muc#roomconfig_enablelogging",
  whois: "muc#roomconfig_whois",
  password: "muc#roomconfig_passwordprotectedroom",
} as const;

const flagsOf = ({ joinRule, historyVisibility, powerLevels }: Configured) => ({
  isMembersOnly: joinRule !== "public",
  isModerated: levelToSpeak(powerLevels) > usualOf(powerLevels),
  maySetTopic: levelFor(powerLevels, "m.room.topic") <= usualOf(powerLevels),
  mayInvite: (numberIn(powerLevels, "invite") ?? 0) <= usualOf(powerLevels),
  isLogged: historyVisibility === "world_readable",
});

export const isModerated = (powerLevels: Content): boolean =>
  levelToSpeak(powerLevels) > usualOf(powerLevels);
export const mayAllSetTopic = (powerLevels: Content): boolean =>
  levelFor(powerLevels, "m.room.topic") <= usualOf(powerLevels);

/** The `<query/>` of the answer. */
export function configForm(room: Configured): Element {
  const flags = flagsOf(room);
  const flag = (name: string, label: string, value: boolean): FormField => ({
    name,
    type: "boolean",
    label,
    values: [value ? "1" : "0"],
  });
  const text = (name: string, label: string, value = ""): FormField => ({
    name,
    type: "text-single",
    label,
    values: [value],
  });
  const fields = [
    text(names.name, "Name of the room", room.name),
    text(names.topic, "Topic of the room", room.topic),
    ...(room.isListed === undefined
      ? []
      : [flag(names.listed, "Listed in the homeserver's directory", room.isListed)]),
    flag(names.membersOnly, "Only those who are invited may enter", flags.isMembersOnly),
    flag(names.moderated, "Only those with voice may speak", flags.isModerated),
    flag(names.changeSubject, "Everybody may change the topic", flags.maySetTopic),
    flag(names.invites, "Everybody may invite others", flags.mayInvite),
    flag(names.logging, "Everybody may read the history, without entering", flags.isLogged),
    flag(names.persistent, "The room stays when everybody has left", true),
    {
      name: names.whois,
      type: "list-single",
      label: "Who sees real addresses",
      values: ["anyone"],
      options: [["anyone", "Everybody"]],
    } as const,
  ];
  const texts = {
    title: "Configuration of the room",
    instructions: "These are settings of the Matrix room; all its members are bound by them.",
  };
  return xml("query", { xmlns: NS.mucOwner }, formElement("form", NS.mucRoomConfig, fields, texts));
}

/** What cannot be as asked for, with why. */
function impossible(values: FormValues): string | undefined {
  if (readFlag(values, names.persistent) === false) return "A Matrix room stays when everybody has left.";
  if (readFlag(values, names.password)) return "Matrix rooms have no passwords: let only members enter.";
  const whois = values.get(names.whois)?.[0];
  return whois !== undefined && whois !== "anyone"
    ? "On Matrix everybody sees everybody's address."
    : undefined;
}

function changedLevels(room: Configured, values: FormValues): Content | undefined {
  const { powerLevels } = room;
  const flags = flagsOf(room);
  const usual = usualOf(powerLevels);
  const wanted = {
    moderated: readFlag(values, names.moderated) ?? flags.isModerated,
    topic: readFlag(values, names.changeSubject) ?? flags.maySetTopic,
    invites: readFlag(values, names.invites) ?? flags.mayInvite,
  };
  const events: Content = isObject(powerLevels.events) ? { ...powerLevels.events } : {};
  const changed: Content = { ...powerLevels };
  if (wanted.moderated !== flags.isModerated) {
    changed.events_default = wanted.moderated ? raised : usual;
    // A level of its own would stand above the general one.
    delete events["m.room.message"];
  }
  if (wanted.topic !== flags.maySetTopic) events["m.room.topic"] = wanted.topic ? usual : raised;
  if (wanted.invites !== flags.mayInvite) changed.invite = wanted.invites ? usual : raised;
  const isSame =
    wanted.moderated === flags.isModerated &&
    wanted.topic === flags.maySetTopic &&
    wanted.invites === flags.mayInvite;
  return isSame ? undefined : { ...changed, events };
}

/** @param form as submitted; what it does not mention stays. */
export function readConfig(form: ReadForm, room: Configured): ConfigChanges | StanzaError {
  const { values } = form;
  if (form.formType !== undefined && form.formType !== NS.mucRoomConfig) {
    return { type: "modify", condition: "bad-request", text: "The form is of another type." };
  }
  const why = impossible(values);
  if (why !== undefined) return { type: "modify", condition: "not-acceptable", text: why };
  const flags = flagsOf(room);
  const state: Record<string, Content> = {};
  const name = values.get(names.name)?.[0];
  if (name !== undefined && name !== (room.name ?? "")) state["m.room.name"] = { name };
  const topic = values.get(names.topic)?.join("\n");
  if (topic !== undefined && topic !== (room.topic ?? "")) state["m.room.topic"] = { topic };
  const isMembersOnly = readFlag(values, names.membersOnly) ?? flags.isMembersOnly;
  if (isMembersOnly !== flags.isMembersOnly) {
    state["m.room.join_rules"] = { join_rule: isMembersOnly ? "invite" : "public" };
  }
  const isLogged = readFlag(values, names.logging) ?? flags.isLogged;
  if (isLogged !== flags.isLogged) {
    state["m.room.history_visibility"] = { history_visibility: isLogged ? "world_readable" : "shared" };
  }
  const powerLevels = changedLevels(room, values);
  if (powerLevels) state["m.room.power_levels"] = powerLevels;
  const isListed = readFlag(values, names.listed);
  return { state, isListed: isListed === room.isListed ? undefined : isListed };
}
