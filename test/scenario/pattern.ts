/** Whether a stanza is what a scenario expects: what the pattern names has to be there, more may be. */
import { type Element, parse } from "ltx";
import { namespaces } from "./namespaces.ts";

/** Names in braces and what they stand for, in the scenario that runs. */
export type Names = Map<string, string>;

const name = /\{([^{}]+)\}/g;

/** Puts in what is known. @throws where a name is not. */
export function fillIn(text: string, names: Names): string {
  return text.replaceAll(name, (_, key: string) => {
    const value = names.get(key);
    if (value === undefined) throw new Error(`nothing is known as {${key}}`);
    return value;
  });
}

function expand(element: Element): Element {
  const { xmlns } = element.attrs;
  if (xmlns !== undefined) element.attrs.xmlns = namespaces[xmlns] ?? xmlns;
  for (const child of element.getChildElements()) expand(child);
  return element;
}

/** A stanza as scenarios write it, with short names of namespaces. */
export function parsePattern(text: string): Element {
  return expand(parse(text));
}

/** Compares one value; `*` is any, and an unknown `{name}` takes what is there. */
function isValue(pattern: string, value: string | undefined, names: Names): boolean {
  if (value === undefined) return false;
  if (pattern === "*") return value !== "";
  const [, key] = /^\{([^{}]+)\}$/.exec(pattern) ?? [];
  if (key !== undefined && !names.has(key)) {
    names.set(key, value);
    return true;
  }
  return fillIn(pattern, names) === value;
}

function textOf(element: Element): string {
  return element.children
    .filter((child) => typeof child === "string")
    .join("")
    .trim();
}

function differenceOf(pattern: Element, element: Element, names: Names): string | undefined {
  if (pattern.name !== element.name) return `<${element.name}/> is no <${pattern.name}/>`;
  for (const [key, wanted] of Object.entries(pattern.attrs)) {
    const value = key === "xmlns" ? element.getNS() : element.attrs[key];
    if (!isValue(String(wanted), value ?? undefined, names)) {
      return `<${element.name}/> has ${key}=${JSON.stringify(value)}, not ${JSON.stringify(wanted)}`;
    }
  }
  const text = textOf(pattern);
  if (text !== "" && !isValue(text, textOf(element), names)) {
    return `<${element.name}/> says ${JSON.stringify(textOf(element))}, not ${JSON.stringify(text)}`;
  }
  const left = new Set(element.getChildElements());
  for (const child of pattern.getChildElements()) {
    if (child.name === "none") {
      const { name: unwanted, ...attrs } = child.attrs;
      const found = element
        .getChildElements()
        .find(
          (one) =>
            one.name === unwanted &&
            Object.entries(attrs).every(
              ([key, value]) => (key === "xmlns" ? one.getNS() : one.attrs[key]) === value,
            ),
        );
      if (found) return `there should be no ${found}`;
      continue;
    }
    const found = [...left].find((one) => isMatch(child, one, names));
    if (!found) return `<${element.name}/> lacks ${child}`;
    left.delete(found);
  }
  return undefined;
}

/** Names are taken only where the whole of it matches. */
function isMatch(pattern: Element, element: Element, names: Names): boolean {
  return attempt(pattern, element, names) === undefined;
}

function attempt(pattern: Element, element: Element, names: Names): string | undefined {
  const taken = new Map(names);
  const difference = differenceOf(pattern, element, taken);
  if (difference === undefined) for (const [key, value] of taken) names.set(key, value);
  return difference;
}

/** What is wrong with the stanza, or `undefined` if it is as the pattern says. A type that is not named must not be there. */
export function mismatchOf(pattern: Element, stanza: Element, names: Names): string | undefined {
  if (pattern.attrs.type === undefined && stanza.attrs.type !== undefined && pattern.name === stanza.name) {
    return `it is of type ${stanza.attrs.type}`;
  }
  return attempt(pattern, stanza, names);
}
