// Finds the browser that the status page is tested in, and has Debian's installed where there is none.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { installPackage } from "./apt.mjs";
import { CommandError, lastLines } from "./command.mjs";
import { say, step } from "./progress.mjs";
import { obstacle } from "./server-tree.mjs";

/** The first is what is installed: half the size of the whole Chromium. */
const names = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];

/** The path of a browser of the Chromium family, or `undefined`. */
export function findBrowser() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return names
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Without a browser its tests are skipped, or fail where they must not be; nothing else depends on it. */
export async function ensureBrowser() {
  if (findBrowser() || obstacle()) return;
  try {
    await step("Installing Chromium for tests of the status page (0.3 GB)", () => installPackage(names[0]));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    say(`No browser: ${error.message}\n${lastLines(error.output)}`);
  }
}
