/** XML as XMPP allows it (RFC 6120 §11, XML 1.0 and its namespaces), read from untrusted text at a cost that its size bounds. */
// Not of "ltx" itself: its class is another one there, and neither finds the other among its children.
import { Element } from "@xmpp/xml";
import { SaxesParser } from "saxes";

// Far beyond what any stanza needs, far below what recursion over a tree can take.
const maxDepth = 64;
const maxAttributes = 64;
const maxElements = 10_000;

/** @throws Error that says what is wrong. */
export function parseXml(text: string): Element {
  const parser = new SaxesParser({ xmlns: true, position: false });
  let root: Element | undefined;
  let current: Element | null = null;
  let [depth, elements, attributes] = [0, 0, 0];

  const forbid = (what: string) => (): never => {
    throw new Error(`${what} have no place in XMPP`);
  };
  parser.on("doctype", forbid("document types"));
  parser.on("comment", forbid("comments"));
  parser.on("processinginstruction", forbid("processing instructions"));
  parser.on("xmldecl", forbid("XML declarations inside of a stream"));

  parser.on("opentagstart", () => {
    attributes = 0;
    elements += 1;
    depth += 1;
    if (depth > maxDepth) throw new Error(`elements are nested more than ${maxDepth} deep`);
    if (elements > maxElements) throw new Error(`there are more than ${maxElements} elements`);
  });
  parser.on("attribute", () => {
    attributes += 1;
    if (attributes > maxAttributes) throw new Error(`an element has more than ${maxAttributes} attributes`);
  });
  parser.on("opentag", (tag) => {
    const element: Element = new Element(tag.name);
    for (const { name, value } of Object.values(tag.attributes)) element.attrs[name] = value;
    if (current) current.cnode(element);
    else root = element;
    current = element;
  });
  parser.on("closetag", () => {
    depth -= 1;
    current = current?.parent ?? null;
  });
  const append = (piece: string): void => {
    current?.t(piece);
  };
  parser.on("text", append);
  parser.on("cdata", append);

  parser.write(text).close();
  if (!root) throw new Error("there is no element");
  return root;
}
