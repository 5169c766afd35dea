/** Finding Matrix users and rooms by name: XEP-0055 1.3 (Jabber Search), by its own fields or as a form of XEP-0004 2.13. */
import { type Answers, IqRefusal } from "./iq-answer.ts";
import type { BareJid } from "./jid.ts";
import { NS } from "./namespaces.ts";
import { type Element, readChild, xml } from "./stanza.ts";

export interface Found {
  jid: BareJid;
  name: string;
}

export interface SearchDeps {
  /**
   * @param asker the JID that asks.
   * @returns the best hits first, or undefined where this one asks too often.
   */
  search(term: string, asker: string): Promise<Found[] | undefined>;
}

const instructions =
  "Enter a part of the name of a person or a room on Matrix, or a Matrix ID such as @alice:matrix.example.";
const longestTerm = 255;

const hiddenType = (): Element =>
  xml("field", { var: "FORM_TYPE", type: "hidden" }, xml("value", {}, NS.search));
const textField = (name: string, label: string): Element =>
  xml("field", { type: "text-single", var: name, label });

const blank = (): Element =>
  xml(
    "query",
    { xmlns: NS.search },
    xml("instructions", {}, instructions),
    xml("nick"),
    xml(
      "x",
      { xmlns: NS.dataForm, type: "form" },
      xml("title", {}, "Search for Matrix users and rooms"),
      xml("instructions", {}, instructions),
      hiddenType(),
      textField("nick", "Name or Matrix ID"),
    ),
  );

function asForm(found: readonly Found[]): Element {
  const value = (name: string, text: string): Element => xml("field", { var: name }, xml("value", {}, text));
  return xml(
    "x",
    { xmlns: NS.dataForm, type: "result" },
    hiddenType(),
    xml(
      "reported",
      {},
      xml("field", { type: "jid-single", var: "jid", label: "Address" }),
      textField("nick", "Name"),
    ),
    ...found.map(({ jid, name }) => xml("item", {}, value("jid", jid), value("nick", name))),
  );
}

const readTerm = (payload: Element, form: Element | undefined): string | undefined => {
  const field = form?.getChildren("field").find(({ attrs }) => attrs.var === "nick");
  return (form ? field?.getChildText("value") : payload.getChildText("nick"))?.trim();
};

export const searchAnswers = ({ search }: SearchDeps): Answers => ({
  [`get ${NS.search} query`]: blank,
  [`set ${NS.search} query`]: async ({ request, payload }) => {
    const form = readChild(payload, NS.dataForm, "x");
    const term = readTerm(payload, form);
    if (!term || term.length > longestTerm) throw new IqRefusal("modify", "not-acceptable", instructions);
    const found = await search(term, String(request.attrs.from));
    if (!found)
      throw new IqRefusal("wait", "resource-constraint", "You search too often; try again in a minute.");
    const results = form
      ? [asForm(found)]
      : found.map(({ jid, name }) => xml("item", { jid }, xml("nick", {}, name)));
    return xml("query", { xmlns: NS.search }, ...results);
  },
});
