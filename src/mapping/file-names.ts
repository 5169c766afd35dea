/** Names of files as they come from strangers, made fit for a link, a header and somebody's download folder. */

const longest = 100;

/** Control, formatting (bidirectional overrides among them), private and unassigned characters, and line separators. */
const unseen = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\u2028\u2029]/gu;
/** What some file system or other takes for more than a name. */
const unsafe = /[<>:"|?*]/g;

/** The last part of a path without what could deceive or escape, or undefined where nothing is left. */
export function fileNameOf(text: string): string | undefined {
  const last = text.toWellFormed().split(/[/\\]/).at(-1) ?? "";
  const name = last
    .replace(unseen, "")
    .replace(unsafe, "_")
    .replace(/^[\s.]+|[\s.]+$/g, "");
  const characters = [...name];
  if (characters.length <= longest) return name || undefined;
  const extension = [...(/\.[^.]{1,10}$/.exec(name)?.[0] ?? "")];
  return [...characters.slice(0, longest - extension.length), ...extension].join("");
}

const extensions: Record<string, string> = {
  "application/pdf": ".pdf",
  "audio/mp4": ".m4a",
  "audio/mpeg": ".mp3",
  "audio/ogg": ".ogg",
  "image/avif": ".avif",
  "image/gif": ".gif",
  "image/jpeg": ".jpg",
  "image/png": ".png",
  "image/webp": ".webp",
  "text/plain": ".txt",
  "video/mp4": ".mp4",
  "video/webm": ".webm",
};

/** The name with an extension: many clients know what a link leads to by nothing else. */
export function withExtension(name: string, type: string | undefined): string {
  const extension = type !== undefined && Object.hasOwn(extensions, type) ? extensions[type] : undefined;
  return extension === undefined || /\.[A-Za-z0-9]{1,10}$/.test(name) ? name : name + extension;
}

/** What a link calls its file. */
export function nameInUrl(url: string): string | undefined {
  const last = URL.parse(url)?.pathname.split("/").at(-1) ?? "";
  try {
    return fileNameOf(decodeURIComponent(last));
  } catch {
    return fileNameOf(last);
  }
}

/** The media type without parameters, in lower case; undefined for what is none. */
export function mediaTypeOf(text: string | undefined): string | undefined {
  const type = text?.split(";", 1)[0]?.trim().toLowerCase();
  return type !== undefined && /^[a-z]+\/[a-z0-9][a-z0-9!#$&^_.+-]{0,100}$/.test(type) ? type : undefined;
}
