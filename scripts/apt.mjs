// Installs Debian packages that the tests need on the machine itself.
import { attempt, run } from "./command.mjs";

export const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" };

export async function installPackage(name) {
  const install = ["install", "-y", "--no-install-recommends", name];
  // A fresh machine may not know the package yet; a list that is there may name a version that is gone.
  if (await attempt("apt-get", install, { env: environment })) return;
  await run("apt-get", ["update"], { env: environment });
  await run("apt-get", install, { env: environment });
}
