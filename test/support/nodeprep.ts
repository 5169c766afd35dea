/** Nodeprep (RFC 3920 appendix A), as far as this runtime's newer Unicode tells it. */

const MAPPED_TO_NOTHING = /\u034f|[\u00ad\u1806\u200b-\u200d\u2060\ufeff]|[\u180b-\u180d]|[\ufe00-\ufe0f]/gu;
const PROHIBITED =
  /["&'/:<>@\p{Z}\p{Cc}\p{Co}\p{Cs}\p{Cf}\p{Noncharacter_Code_Point}\ufffc\ufffd\u2ff0-\u2ffb]/u;
const RIGHT_TO_LEFT =
  /[\p{L}&&[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]]/v;

/**
 * The prepared localpart, or `undefined` if it is refused. Any right-to-left letter is, since every localpart of
 * ours begins or ends in ASCII, which RFC 3454 §6 forbids beside one.
 */
export function nodeprep(text: string): string | undefined {
  const kept = text.replace(MAPPED_TO_NOTHING, "").normalize("NFKC");
  const lowered = Array.from(kept, (character) => character.toLowerCase()).join("");
  const folded = lowered.replaceAll("ß", "ss").replaceAll("ς", "σ").normalize("NFKC");
  return PROHIBITED.test(folded) || RIGHT_TO_LEFT.test(folded) ? undefined : folded;
}
