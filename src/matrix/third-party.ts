/** Lookups of users and rooms of other networks: Application Service API v1.15, "Third-party networks". */
import type { Request, RequestHandler, Router } from "express";
import { only, refuse } from "./http-api.ts";
import { parseRoomAlias, parseUserId, type RoomAlias, type UserId } from "./ids.ts";

type Fields = Readonly<Record<string, string>>;
type Found = readonly object[];

export interface ThirdParty {
  /** Each network that can be asked about, with what clients are told of it. */
  protocols: Readonly<Record<string, object>>;
  users(fields: Fields): Found;
  locations(fields: Fields): Found;
  /** The way back: who a Matrix user is over there. */
  usersOf(userId: UserId): Promise<Found>;
  locationsOf(alias: RoomAlias): Found;
}

// COMPAT(homeservers before r0.1.1 of the specification): "Legacy routes".
const prefixes = ["/_matrix/app/v1", "/_matrix/app/unstable"];

/** All of the query that describes whom is looked for; what is repeated counts once. */
function fieldsOf({ query }: Request): Fields {
  const fields: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(query)) {
    const first = Array.isArray(value) ? value[0] : value;
    if (name !== "access_token" && typeof first === "string") fields[name] = first;
  }
  return fields;
}

export function addThirdPartyRoutes(router: Router, authorized: RequestHandler, deps: ThirdParty): void {
  const get = (path: string, handler: RequestHandler): void => {
    router
      .route(prefixes.map((prefix) => `${prefix}/thirdparty/${path}`))
      .get(authorized, handler)
      .all(only("GET"));
  };
  const ofProtocol =
    (answer: RequestHandler): RequestHandler =>
    (req, res, next) => {
      const known = Object.hasOwn(deps.protocols, String(req.params.protocol));
      if (!known) return refuse(res, 404, "M_NOT_FOUND", "This bridge does not lead to that network.");
      return answer(req, res, next);
    };

  get(
    "protocol/:protocol",
    ofProtocol((req, res) => void res.status(200).json(deps.protocols[String(req.params.protocol)])),
  );
  get(
    "user/:protocol",
    // No hit is an empty list: homeservers write each 404 into their logs.
    ofProtocol((req, res) => void res.status(200).json(deps.users(fieldsOf(req)))),
  );
  get(
    "location/:protocol",
    ofProtocol((req, res) => {
      const found = deps.locations(fieldsOf(req));
      // Here 200 means "At least one portal room was found".
      if (found.length > 0) res.status(200).json(found);
      else refuse(res, 404, "M_NOT_FOUND", "There is no such room behind this bridge.");
    }),
  );
  get("user", async (req, res) => {
    const userId = parseUserId(String(req.query.userid ?? ""));
    if (userId) res.status(200).json(await deps.usersOf(userId));
    else refuse(res, 404, "M_NOT_FOUND", "`userid` is no user ID.");
  });
  get("location", (req, res) => {
    const alias = parseRoomAlias(String(req.query.alias ?? ""));
    if (alias) res.status(200).json(deps.locationsOf(alias));
    else refuse(res, 404, "M_NOT_FOUND", "`alias` is no room alias.");
  });
}
