// Keeps the status page new: asks for the whole page and puts in its place only what differs, so that nothing flickers.

const everyMs = 5000;
const typedMs = 250;
const old = (node) => document.querySelector(node);
const keyOf = (node) => node.dataset?.key;

/** Makes a node like another one and keeps all of it that is the same already. */
function renew(node, fresh) {
  if (node.isEqualNode(fresh) || node.dataset?.keep !== undefined) return;
  const isAlike = node.nodeName === fresh.nodeName && keyOf(node) === keyOf(fresh);
  if (!isAlike) return node.replaceWith(fresh);
  if (node.nodeType !== Node.ELEMENT_NODE) {
    node.nodeValue = fresh.nodeValue;
    return;
  }
  for (const name of node.getAttributeNames()) if (!fresh.hasAttribute(name)) node.removeAttribute(name);
  for (const name of fresh.getAttributeNames()) node.setAttribute(name, fresh.getAttribute(name));
  const wanted = [...fresh.childNodes];
  const byKey = new Map([...node.children].map((child) => [keyOf(child), child]));
  for (const [index, child] of wanted.entries()) {
    const key = keyOf(child);
    const known = key === undefined ? undefined : byKey.get(key);
    const current = node.childNodes[index];
    // A row that is there already moves to its place, and takes its buttons along.
    if (known && known !== current) node.insertBefore(known, current ?? null);
    const here = node.childNodes[index];
    if (here) renew(here, child);
    else node.append(child);
  }
  while (node.childNodes.length > wanted.length) node.lastChild.remove();
}

let asked = 0;
let isPressing = false;

async function refresh() {
  const number = ++asked;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const [here, fresh] = [old("main"), page.querySelector("main")];
    if (!answer.ok || !fresh) throw new Error(`status ${answer.status}`);
    // An older answer, or one that came while a finger is on a button, can wait.
    if (number !== asked || isPressing) return;
    if (fresh.dataset.refresh === undefined) return location.reload();
    document.title = page.title;
    renew(here, fresh);
    document.body.classList.remove("stale");
  } catch {
    document.body.classList.add("stale");
  }
}

function search(form) {
  const words = new FormData(form).get("q");
  history.replaceState(null, "", words ? `/status?q=${encodeURIComponent(words)}` : "/status");
  return refresh();
}

if (old("main[data-refresh]")) {
  setInterval(() => document.hidden || refresh(), everyMs);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  document.addEventListener("pointerdown", () => {
    isPressing = true;
  });
  for (const end of ["pointerup", "pointercancel"]) {
    document.addEventListener(end, () => {
      isPressing = false;
    });
  }
  let typing;
  document.addEventListener("input", ({ target }) => {
    clearTimeout(typing);
    typing = setTimeout(search, typedMs, target.form);
  });
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.dataset.confirm && !confirm(form.dataset.confirm)) return event.preventDefault();
    if (form.getAttribute("action") === "/status/logout") return;
    event.preventDefault();
    if (form.method === "get") return search(form);
    const body = new URLSearchParams(new FormData(form));
    await fetch(form.action, { method: "POST", body, redirect: "manual" }).catch(() => undefined);
    await refresh();
  });
}
