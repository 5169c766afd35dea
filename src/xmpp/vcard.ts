/** Who somebody is, with their picture: XEP-0054 1.2. */
import type { Answers } from "./iq-answer.ts";
import type { BareJid } from "./jid.ts";
import { NS } from "./namespaces.ts";
import { type Element, xml } from "./stanza.ts";

export interface Photo {
  /** Its media type. */
  type: string;
  bytes: Buffer;
}

export interface VcardDeps {
  /** @returns undefined where there is none, or none that can be had in time. */
  photoOf(jid: BareJid): Promise<Photo | undefined>;
}

const photoElement = ({ type, bytes }: Photo): Element =>
  xml("PHOTO", {}, xml("TYPE", {}, type), xml("BINVAL", {}, bytes.toString("base64")));

export const vcardAnswers = ({ photoOf }: VcardDeps): Answers => ({
  [`get ${NS.vcard} vCard`]: async ({ addressee }) => {
    if (addressee.kind === "bridge") {
      return xml(
        "vCard",
        { xmlns: NS.vcard },
        xml("FN", {}, "Causeway"),
        xml("DESC", {}, "A bridge to Matrix"),
      );
    }
    const { jid, name, uri } = addressee;
    const photo = await photoOf(jid);
    return xml(
      "vCard",
      { xmlns: NS.vcard },
      xml("FN", {}, name),
      xml("NICKNAME", {}, name),
      ...(photo ? [photoElement(photo)] : []),
      xml("JABBERID", {}, jid),
      xml("URL", {}, uri),
    );
  },
});
