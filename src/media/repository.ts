/** The homeserver's media repository, read and written as streams: Client-Server API v1.15 §11.7. */
import type { IncomingMessage } from "node:http";
import { LRUCache } from "lru-cache";
import { NoAnswerError } from "../http/client.ts";
import { parseMxc } from "../mapping/files.ts";
import { isObject, readString } from "../matrix/event.ts";
import type { UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import { readShort, requestStream, SilenceError } from "./request.ts";

export interface MediaRepositoryDeps {
  /** The homeserver's, without a slash at the end. */
  url: string;
  asToken: string;
  /** How long an upload may stand still. */
  silentMs?: number;
}

export interface Upload {
  name: string;
  type: string;
  /** Synapse takes nothing without. */
  size: number;
  body: AsyncIterable<Uint8Array>;
}

/** How long the homeserver's limit is believed to be the same. */
const limitMs = 60 * 60 * 1000;

export type MediaRepository = ReturnType<typeof createMediaRepository>;

const segment = encodeURIComponent;

async function bodyOf(answer: IncomingMessage): Promise<unknown> {
  try {
    return JSON.parse(await readShort(answer));
  } catch {
    return undefined;
  }
}

export function createMediaRepository({ url, asToken, silentMs }: MediaRepositoryDeps) {
  const headers = { authorization: `Bearer ${asToken}`, "accept-encoding": "identity" };

  const limits = new LRUCache<"upload", { most: number }>({ max: 1, ttl: limitMs });

  return {
    /** How many bytes an upload may have. Beyond some point Synapse breaks the connection off instead of saying so. */
    async mostBytes(signal: AbortSignal): Promise<number> {
      const known = limits.get("upload");
      if (known) return known.most;
      try {
        const answer = await requestStream(new URL(`${url}/_matrix/client/v1/media/config`), {
          headers,
          signal,
        });
        const said = await bodyOf(answer);
        const most = isObject(said) ? said["m.upload.size"] : undefined;
        const limit = { most: typeof most === "number" ? most : Number.POSITIVE_INFINITY };
        if (answer.statusCode === 200) limits.set("upload", limit);
        return limit.most;
      } catch {
        // The upload itself will tell what is wrong.
        return Number.POSITIVE_INFINITY;
      }
    },

    /**
     * The answer to a download, its body yet to be read.
     * @throws MatrixError for any status but 200; else what broke the connection.
     */
    async download(mxc: string, signal: AbortSignal): Promise<IncomingMessage> {
      const media = parseMxc(mxc);
      if (!media) throw new MatrixError("download", 404, { errcode: "M_NOT_FOUND" });
      const path = `download/${segment(media.server)}/${media.mediaId}`;
      const ask = (version: string): Promise<IncomingMessage> =>
        requestStream(new URL(`${url}/_matrix/${version}/${path}`), { headers, signal });
      const refusal = async (answer: IncomingMessage): Promise<MatrixError> =>
        new MatrixError("download", answer.statusCode ?? 502, await bodyOf(answer));

      const answer = await ask("client/v1/media");
      if (answer.statusCode === 200) return answer;
      const refused = await refusal(answer);
      if (refused.errcode !== "M_UNRECOGNIZED") throw refused;
      // COMPAT(homeservers before Matrix 1.11): media is here only.
      const older = await ask("media/v3");
      if (older.statusCode === 200) return older;
      throw await refusal(older);
    },

    /**
     * @returns the mxc:// URI.
     * @throws MatrixError where the homeserver refused, NoAnswerError where none came, and what the body throws.
     */
    async upload({ name, type, size, body }: Upload, as: UserId, signal: AbortSignal): Promise<string> {
      let broken: unknown;
      let isWaiting = true;
      const watched = async function* (): AsyncGenerator<Uint8Array> {
        try {
          for await (const chunk of body) {
            isWaiting = false;
            yield chunk;
            isWaiting = true;
          }
          isWaiting = false;
        } catch (error) {
          broken = error;
          throw error;
        }
      };
      const query = new URLSearchParams({ filename: name, user_id: as });
      try {
        const answer = await requestStream(new URL(`${url}/_matrix/media/v3/upload?${query}`), {
          method: "POST",
          headers: { ...headers, "content-type": type, "content-length": String(size) },
          body: watched(),
          silentMs,
          signal,
        });
        const said = await bodyOf(answer);
        const mxc = isObject(said) ? readString(said, "content_uri") : undefined;
        if (answer.statusCode === 200 && mxc !== undefined) return mxc;
        const { statusCode = 502 } = answer;
        throw new MatrixError(`upload a file as ${as}`, statusCode, said);
      } catch (error) {
        if (broken !== undefined) throw broken;
        // Nothing came because nothing was sent, for which the homeserver can do nothing.
        if (isWaiting && error instanceof SilenceError) throw error;
        if (error instanceof MatrixError) throw error;
        throw new NoAnswerError((error as { code?: string }).code ?? "UNKNOWN", true, error);
      }
    },
  };
}
