/** Copies files that were shared by link into the homeserver's media repository, and says what becomes of them as events. */
import { createHash, type Hash } from "node:crypto";
import pLimit from "p-limit";
import { NoAnswerError } from "../http/client.ts";
import { createRateLimit } from "../http/rate-limit.ts";
import { nameInUrl, withExtension } from "../mapping/file-names.ts";
import { fileContent, linkContent } from "../mapping/files.ts";
import type { SharedLink } from "../mapping/shared-links.ts";
import type { Content } from "../matrix/event.ts";
import type { UserId } from "../matrix/ids.ts";
import { MatrixError } from "../matrix/matrix-error.ts";
import type { Log } from "../ops/log.ts";
import { isOpus, peek, type Sniffed, sniffImage } from "./bytes.ts";
import { type Fetched, type FetchFile, NotCopiedError, tooLarge } from "./fetch.ts";
import type { MediaRepository } from "./repository.ts";
import { SilenceError } from "./request.ts";

export interface MediaImportDeps {
  fetchFile: FetchFile;
  repository: Pick<MediaRepository, "mostBytes" | "upload">;
  log: Log;
  /** How long one file may take. */
  timeoutMs?: number;
}

export interface MediaImport {
  /**
   * The content of the m.room.message for a file: the file itself, or its link where it cannot be copied.
   * @throws MatrixError or NoAnswerError where the homeserver cannot take it now.
   */
  importFile(file: SharedLink, ghost: UserId): Promise<Content>;
  /** Breaks off what is under way; its callers get a NoAnswerError. */
  close(): void;
}

/** The metadata of a photograph may be long, and its dimensions come after it. */
const headBytes = 256 * 1024;
/** What has no length is held in memory, as Synapse wants to know it first. */
const mostUnmeasured = 8 * 1024 * 1024;
const unmeasuredAtOnce = 4;
const filesPerMinute = 30;

/** Of XEP-0300, each with the name that Node has for it. */
const digests: Record<string, string> = {
  "sha-256": "sha256",
  "sha-512": "sha512",
  "sha3-256": "sha3-256",
  "sha3-512": "sha3-512",
};

/** What a browser might run is for saving only, whatever a homeserver makes of its type. */
const isActive = (type: string): boolean => /html|xml|svg|script/.test(type);

/** Images and Opus are what has the bytes of one; the rest is believed, but never to be an image. */
function typeOf(
  head: Buffer,
  image: Sniffed | undefined,
  { type: served }: Fetched,
  { type: declared }: SharedLink,
): string {
  if (image) return image.type;
  const said = served === undefined || served === "application/octet-stream" ? declared : served;
  // COMPAT(Conversations): its voice messages are audio/opus, which Matrix clients do not play.
  if (isOpus(head) && !said?.startsWith("video/")) return "audio/ogg";
  return said === undefined || isActive(said) || said.startsWith("image/")
    ? "application/octet-stream"
    : said;
}

async function* hashed(body: AsyncIterable<Buffer> | Buffer[], hash: Hash): AsyncGenerator<Buffer> {
  for await (const chunk of body) {
    hash.update(chunk);
    yield chunk;
  }
}

export function createMediaImport(deps: MediaImportDeps): MediaImport {
  const { fetchFile, repository, log, timeoutMs = 90_000 } = deps;
  const closing = new AbortController();
  const limit = createRateLimit({ points: filesPerMinute, seconds: 60 });
  const inMemory = pLimit(unmeasuredAtOnce);

  const gather = (body: AsyncIterable<Buffer>): Promise<Buffer> =>
    inMemory(async () => {
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of body) {
        size += chunk.length;
        if (size > mostUnmeasured) throw tooLarge();
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    });

  const copy = async (file: SharedLink, ghost: UserId, signal: AbortSignal): Promise<Content> => {
    const fetched = await fetchFile(file.url, signal);
    const { head, all } = await peek(fetched.body, headBytes);
    const whole = fetched.size === undefined ? await gather(all) : undefined;
    const size = fetched.size ?? whole?.length ?? 0;
    if (size > (await repository.mostBytes(signal))) throw tooLarge();
    const image = sniffImage(head);
    const type = typeOf(head, image, fetched, file);
    const name = withExtension(file.name ?? nameInUrl(file.url) ?? "file", type);
    const [algorithm = "", expected] =
      Object.entries(file.hashes).find(([algo]) => Object.hasOwn(digests, algo)) ?? [];
    const hash = createHash(digests[algorithm] ?? "sha256");
    const body = hashed(whole ? [whole] : all, hash);
    const mxc = await repository.upload({ name, type, size, body }, ghost, signal);
    if (expected !== undefined && hash.digest("base64") !== expected)
      throw new NotCopiedError("the hash is wrong", { reason: "it is not the file that was meant" });
    const isVideo = type.startsWith("video/");
    return fileContent({
      mxc,
      name,
      type,
      size,
      width: image?.width ?? (isVideo ? file.width : undefined),
      height: image?.height ?? (isVideo ? file.height : undefined),
      durationMs: file.durationMs,
      isImage: image !== undefined,
      isVoice: type === "audio/ogg" && isOpus(head),
      description: file.description,
    });
  };

  /** Why a file stays where it is; what is the homeserver's fault only for now is thrown on. */
  const reasonOf = (error: unknown, isLate: boolean): string | undefined => {
    if (error instanceof NotCopiedError) return error.reason;
    if (error instanceof MatrixError) {
      if (error.status === 413) return "it is too large";
      if (error.status === 401 || error.status === 429 || error.status >= 500) throw error;
      return "the homeserver does not take it";
    }
    if (isLate || error instanceof SilenceError) return "it took too long";
    if (error instanceof NoAnswerError) throw error;
    return undefined;
  };

  return {
    async importFile(file, ghost) {
      const host = URL.parse(file.url)?.host;
      if ((await limit.take(ghost)) !== undefined) {
        log.info("left a file where it is: too many came", { ghost, host });
        return linkContent(file, "too many files came at once");
      }
      const late = AbortSignal.timeout(timeoutMs);
      const done = new AbortController();
      try {
        return await copy(file, ghost, AbortSignal.any([closing.signal, late, done.signal]));
      } catch (error) {
        if (closing.signal.aborted) throw new NoAnswerError("ERR_CANCELED", true, error);
        const reason = reasonOf(error, late.aborted);
        log.info("left a file where it is", { ghost, host, error });
        return linkContent(file, reason);
      } finally {
        // Whatever of it is still open.
        done.abort();
      }
    },
    close: () => closing.abort(),
  };
}
