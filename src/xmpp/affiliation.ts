/** Who may do what in an XMPP room: XEP-0045 1.35, §5.1 (roles) and §5.2 (affiliations). */

/** Lasts beyond a visit; highest first. */
export const affiliations = ["owner", "admin", "member", "none", "outcast"] as const;
export type Affiliation = (typeof affiliations)[number];

/** Of one visit; highest first. */
export const roles = ["moderator", "participant", "visitor", "none"] as const;
export type Role = (typeof roles)[number];

export const parseAffiliation = (text: unknown): Affiliation | undefined =>
  affiliations.find((affiliation) => affiliation === text);

export const parseRole = (text: unknown): Role | undefined => roles.find((role) => role === text);
