/** The status page in a real browser; the bridge stands between the fakes. */
import assert from "node:assert/strict";
import { suite, type TestContext, test } from "node:test";
import { type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core";
import { findBrowser } from "../../scripts/browser.mjs";
import { julietJid } from "../flow/scene.ts";
import { hostileName, setStatusScene, token } from "../flow/status-scene.ts";
import { waitFor } from "../support/wait-for.ts";

const browser = findBrowser();
// Where everything has to run, the first of them says what is missing.
const isRequired = process.env.E2E_REQUIRE_SERVERS === "1";
const skip = browser === undefined && !isRequired && "there is no Chromium here; npm test installs one";

const phone = { viewport: { width: 390, height: 844 }, colorScheme: "dark" } as const;
const desktop = { viewport: { width: 1280, height: 900 }, colorScheme: "light" } as const;

/** A page that is logged in. Whatever the browser complains of is an error of the test. */
async function openPage(t: TestContext, adminUrl: string, options: BrowserContextOptions): Promise<Page> {
  assert.ok(browser, "there is no Chromium here");
  const running = await chromium.launch({ executablePath: browser, args: ["--no-sandbox"] });
  const complaints: string[] = [];
  t.after(async () => {
    await running.close();
    assert.deepEqual(complaints, []);
  });
  const page = await running.newPage(options);
  page.on("console", (message) => void (message.type() === "error" && complaints.push(message.text())));
  page.on("pageerror", (error) => void complaints.push(String(error)));
  await page.goto(`${adminUrl}/status`);
  await picture(page, "front");
  await page.getByLabel("admin.token").fill(token);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("heading", { name: "Parked messages" }).waitFor();
  return page;
}

/** With SCREENSHOTS=folder, to be looked at. */
async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env.SCREENSHOTS;
  if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
}

const rowsBelow = (page: Page, heading: string) =>
  page.getByRole("region", { name: heading }).getByRole("listitem");

const textOf = async (locator: Locator): Promise<string> => ((await locator.textContent()) ?? "").trim();

suite("the status page in a browser", { skip }, () => {
  test("whoever logs in sees a parked message, has it tried again, and sees it gone", async (t) => {
    const { adminUrl, park, roomId, julietHas } = await setStatusScene(t);
    await park("banished");
    const page = await openPage(t, adminUrl, phone);
    const row = rowsBelow(page, "Parked messages");
    assert.match(await textOf(row), /^romeo@xmpp\.test → .*400 M_BAD_JSON <b>no<\/b>/s);
    await picture(page, "phone-parked");
    await row.getByRole("button", { name: "Retry" }).click();
    await row.waitFor({ state: "detached" });
    await page.getByText("None was given up.").waitFor();
    assert.deepEqual(await julietHas(roomId, 2), ["O, speak again", "banished"]);
    await picture(page, "phone");
    // Nothing is wider than a phone.
    const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
    assert.equal(overflow, 0);
  });

  test("one message is dropped after a question, and the others stay where they are", async (t) => {
    const { adminUrl, park } = await setStatusScene(t);
    await park("one", "two", "three");
    const page = await openPage(t, adminUrl, desktop);
    await picture(page, "desktop");
    const rows = rowsBelow(page, "Parked messages");
    const keys = () => rows.evaluateAll((list) => list.map((row) => row.getAttribute("data-key")));
    const before = await keys();
    const questions: string[] = [];
    page.on("dialog", async (dialog) => {
      questions.push(dialog.message());
      if (questions.length === 1) await dialog.dismiss();
      else await dialog.accept();
    });
    const drop = rows.nth(1).getByRole("button", { name: "Drop" });
    await drop.click();
    assert.deepEqual(await keys(), before);
    await drop.click();
    await page.getByText("2 were given up").waitFor();
    assert.deepEqual(await keys(), [before[0], before[2]]);
    assert.equal(questions.length, 2);
  });

  test("what changes is shown by itself, and what somebody types is left alone", async (t) => {
    const { adminUrl, park } = await setStatusScene(t);
    const page = await openPage(t, adminUrl, desktop);
    const search = page.getByRole("searchbox");
    await search.fill("nowhere");
    await page.getByText("Linked: 0 of 1").waitFor();
    await search.fill("<IMG");
    await page.getByText(hostileName).waitFor();
    await park("later");
    await rowsBelow(page, "Parked messages").waitFor();
    assert.equal(await search.inputValue(), "<IMG");
    assert.ok(await search.evaluate((input) => input === input.ownerDocument.activeElement));
    assert.equal(await page.title(), "Causeway – status");
  });

  test("what is wrong and what waits is shown with its reason, and can be tried at once", async (t) => {
    const { adminUrl, homeserver, romeo, juliet, roomId, julietHas, log } = await setStatusScene(t);
    homeserver.respond(({ path }) => (path.includes("/send/") ? { status: 500, body: "{}" } : undefined));
    await romeo.sendText(julietJid, "patience");
    await waitFor(() => log.some((line) => line.includes("failed for now")), "a first failure");
    const page = await openPage(t, adminUrl, phone);
    await page.getByText("Something is wrong").waitFor();
    const row = rowsBelow(page, "Waiting lanes");
    assert.match(await textOf(row), /^romeo@xmpp\.test → juliet%hs\.test@bridge\.xmpp\.test\n.*: 500$/s);
    await picture(page, "phone-ill");
    homeserver.respond(() => undefined);
    await page.getByRole("button", { name: "Try all now" }).click();
    await page.getByText("Nothing waits.").waitFor();
    assert.deepEqual(await julietHas(roomId, 2), ["O, speak again", "patience"]);
    assert.equal(juliet.received(roomId).length, 2);
  });

  test("a page whose bridge is gone says that it is old", async (t) => {
    const { adminUrl, stop } = await setStatusScene(t);
    const page = await openPage(t, adminUrl, desktop);
    // The browser itself complains of what comes now, which is right.
    page.removeAllListeners("console");
    await stop();
    await page.locator("body.stale").waitFor();
  });
});
