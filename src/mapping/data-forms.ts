/** Forms, read and written: XEP-0004 2.13, with the type of a form by XEP-0068 1.3. */
import { NS } from "../xmpp/namespaces.ts";
import { type Element, readChild, xml, xmlSafe } from "../xmpp/stanza.ts";

export interface FormField {
  name: string;
  type?: "boolean" | "hidden" | "jid-single" | "list-multi" | "list-single" | "text-multi" | "text-single";
  label?: string;
  values?: readonly string[];
  /** What may be chosen: value and label. */
  options?: readonly (readonly [string, string])[];
  /** What else the field holds. */
  more?: readonly Element[];
}

export interface FormTexts {
  title?: string;
  instructions?: string;
}

const mostFields = 100;
const mostValues = 200;

const value = (text: string): Element => xml("value", {}, text);

const fieldElement = ({ name, type, label, values = [], options = [], more = [] }: FormField) =>
  xml(
    "field",
    { var: name, ...(type && { type }), ...(label !== undefined && { label }) },
    ...values.map(value),
    ...options.map(([chosen, words]) => xml("option", { label: words }, value(chosen))),
    ...more,
  );

export function formElement(
  type: "form" | "result" | "submit",
  formType: string,
  fields: readonly FormField[],
  { title, instructions }: FormTexts = {},
): Element {
  return xml(
    "x",
    { xmlns: NS.dataForm, type },
    ...(title === undefined ? [] : [xml("title", {}, title)]),
    ...(instructions === undefined ? [] : [xml("instructions", {}, instructions)]),
    fieldElement({ name: "FORM_TYPE", type: "hidden", values: [formType] }),
    ...fields.map(fieldElement),
  );
}

/** What a form says, by field; fields that are said twice count once, and type and labels not at all. */
export type FormValues = ReadonlyMap<string, readonly string[]>;

export interface ReadForm {
  /** "submit", "cancel", "form" or "result"; XEP-0004 knows no default. */
  type: string | undefined;
  formType: string | undefined;
  values: FormValues;
}

/** The form within an element; undefined where there is none. */
export function readForm(parent: Element): ReadForm | undefined {
  const form = readChild(parent, NS.dataForm, "x");
  if (!form) return undefined;
  const fields = form.getChildren("field").slice(0, mostFields);
  const values = new Map(
    fields.toReversed().map((field): [string, string[]] => {
      const texts = field.getChildren("value").slice(0, mostValues);
      return [String(field.attrs.var), texts.map((text) => xmlSafe(text.getText()))];
    }),
  );
  const formType = values.get("FORM_TYPE")?.[0];
  values.delete("FORM_TYPE");
  return { type: form.attrs.type, formType, values };
}

/** XEP-0004 §3.3: "1" or "true" is yes; undefined for what is neither yes nor no, or not said. */
export function readFlag(values: FormValues, name: string): boolean | undefined {
  const text = values.get(name)?.[0]?.trim();
  if (text === "1" || text === "true") return true;
  return text === "0" || text === "false" ? false : undefined;
}
