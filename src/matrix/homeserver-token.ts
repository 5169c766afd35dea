/** Lets in whoever shows the homeserver's token: Application Service API v1.15, "Authorization". */
import type { Request, RequestHandler } from "express";
import { readBearer, sameSecret } from "../http/credentials.ts";
import type { Strangers } from "../http/strangers.ts";
import { refuse, refuseForNow } from "./http-api.ts";

/** As a form and as the bytes that were sent: COMPAT(continuwuity and tuwunel): they do not escape the token. */
function tokensInQuery(url: string): string[][] {
  const query = url.slice(url.indexOf("?") + 1);
  if (query === url) return [];
  return query.split("&").flatMap((pair) => {
    const [, raw] = /^access_token=(.*)$/s.exec(pair) ?? [];
    return raw === undefined ? [] : [[raw, new URLSearchParams(pair).get("access_token") ?? ""]];
  });
}

/** COMPAT(homeservers before v1.4 of the specification): the token in the query. Where it is in both, both must be right. */
function readProof(req: Request, hsToken: string): "right" | "wrong" | "none" {
  const bearer = readBearer(req.get("authorization"));
  const shown = [...(bearer === undefined ? [] : [[bearer]]), ...tokensInQuery(req.originalUrl)];
  if (shown.length === 0) return "none";
  return shown.every((forms) => forms.some((token) => sameSecret(token, hsToken))) ? "right" : "wrong";
}

export function tokenCheck({ hsToken }: { hsToken: string }): RequestHandler {
  return (req, res, next) => {
    const proof = readProof(req, hsToken);
    if (proof === "right") next();
    else if (proof === "none") refuse(res, 401, "M_MISSING_TOKEN", "The homeserver token is missing.");
    else refuse(res, 403, "M_FORBIDDEN", "The homeserver token is wrong.");
  };
}

const logLines = {
  none: "a request without the homeserver's token was refused",
  wrong:
    "a request came with a wrong homeserver token: is hs_token the same in registration and configuration?",
};

/** Stands before routes that only the homeserver uses: whoever else calls them too often has to wait. */
export function slowStrangers({
  hsToken,
  strangers,
}: {
  hsToken: string;
  strangers: Strangers;
}): RequestHandler {
  return async (req, res, next) => {
    const proof = readProof(req, hsToken);
    const wait = proof === "right" ? undefined : await strangers.refused(req, logLines[proof]);
    if (wait === undefined) next();
    else refuseForNow(res, wait);
  };
}
