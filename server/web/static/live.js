// Keeps an open page true: hears of each event, fetches the same page again and changes only what is different.
// And the search box: a scanner types into it from anywhere on the page.
"use strict";

const REST_MS = 300; // between two looks, however fast scans come
const REST_TIMES = 4; // and so many times what a look took: a slow hub is asked less
const AFTER_MS = 1000; // what an event changes about others is folded behind it
const POLL_MS = 3000; // where every stream is taken
const TRY_STREAM_MS = 60000;
const SETTLED_MS = 500; // who only passes through a page takes no seat
const AGE_MS = 30000; // ages grow without events

const find = document.getElementById("find");
const state = document.getElementById("live-state");
const regions = () => Array.from(document.querySelectorAll("[data-live]"));

let stream = null;
let poll = 0;
let fetching = false;
let again = false;
let lastLook = 0;
let tookMs = 0;
let timer = 0;
let after = 0;

function say(word, kind) {
  if (state.textContent !== word) state.textContent = word;
  state.className = "live " + kind;
}

// --- what is different ---

function editing(element) {
  const focus = document.activeElement;
  return focus && element.contains(focus) && focus.matches("input, select, textarea");
}

function sameAttributes(old, fresh) {
  for (const { name } of Array.from(old.attributes)) {
    // What a reader opened stays open; what glows may end its glow.
    if (!fresh.hasAttribute(name) && name !== "open" && name !== "class") old.removeAttribute(name);
  }
  for (const { name, value } of Array.from(fresh.attributes)) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (!fresh.hasAttribute("class") && old.className) old.removeAttribute("class");
}

function glow(element) {
  element.classList.remove("glow");
  void element.getBoundingClientRect(); // so that the same animation runs once more
  element.classList.add("glow");
}

function keyed(parent) {
  return parent.children.length > 0 && Array.from(parent.children).every((child) => child.dataset.key !== undefined);
}

function changeKeyed(old, fresh) {
  const had = new Map(Array.from(old.children, (child) => [child.dataset.key, child]));
  let place = old.firstElementChild;
  for (const wanted of Array.from(fresh.children)) {
    const known = had.get(wanted.dataset.key);
    if (known === undefined) {
      const added = document.importNode(wanted, true);
      old.insertBefore(added, place);
      glow(added);
      continue;
    }
    had.delete(wanted.dataset.key);
    if (known === place) place = place.nextElementSibling;
    else old.insertBefore(known, place);
    const moved = known.dataset.mark !== wanted.dataset.mark;
    change(known, wanted);
    if (moved) glow(known);
  }
  for (const gone of had.values()) gone.remove();
}

function change(old, fresh) {
  if (old.isEqualNode(fresh) || editing(old)) return;
  if (old.nodeName !== fresh.nodeName) {
    old.replaceWith(document.importNode(fresh, true));
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  sameAttributes(old, fresh);
  if (keyed(old) && keyed(fresh)) {
    changeKeyed(old, fresh);
    return;
  }
  const mine = Array.from(old.childNodes);
  const theirs = Array.from(fresh.childNodes);
  if (mine.length === theirs.length && mine.every((node, index) => node.nodeName === theirs[index].nodeName)) {
    mine.forEach((node, index) => change(node, theirs[index]));
  } else {
    old.replaceChildren(...theirs.map((node) => document.importNode(node, true)));
  }
}

async function look() {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  lastLook = performance.now();
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store", redirect: "error" });
    if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const region of regions()) {
        const wanted = fresh.getElementById(region.id);
        if (wanted) change(region, wanted);
      }
      if (stream === null) say("every 3 s", "on");
    }
  } catch {
    say("hub away", "off");
  } finally {
    fetching = false;
    tookMs = performance.now() - lastLook;
    if (again) {
      again = false;
      soon();
    }
  }
}

function soon() {
  if (timer) return;
  const wait = Math.max(0, Math.max(REST_MS, REST_TIMES * tookMs) - (performance.now() - lastLook));
  timer = setTimeout(() => {
    timer = 0;
    look();
  }, wait);
}

// --- hearing of it ---

function heard() {
  soon();
  clearTimeout(after);
  after = setTimeout(soon, AFTER_MS);
}

function listen() {
  if (stream || document.hidden) return;
  stream = new EventSource("/api/v1/events");
  stream.addEventListener("open", () => {
    clearInterval(poll);
    poll = 0;
    say("live", "on");
    soon(); // what happened between the page and the stream
  });
  stream.addEventListener("ledger", heard);
  stream.addEventListener("reload", heard);
  stream.addEventListener("error", () => {
    if (stream.readyState !== EventSource.CLOSED) {
      say("hub away", "off"); // the browser tries again by itself
      return;
    }
    stream = null; // refused: every seat is taken
    if (!poll) poll = setInterval(look, POLL_MS);
    setTimeout(listen, TRY_STREAM_MS);
  });
}

function rest() {
  // A page that nobody looks at holds no stream: seats are few, and a browser opens six connections at most.
  if (stream) stream.close();
  stream = null;
  clearInterval(poll);
  poll = 0;
}

function listenSoon() {
  setTimeout(listen, SETTLED_MS);
}

if (regions().length) {
  setInterval(() => document.hidden || soon(), AGE_MS);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) rest();
    else {
      listen();
      soon();
    }
  });
  addEventListener("pagehide", rest);
  addEventListener("pageshow", listenSoon);
}

// --- the search box ---

function writable(element) {
  return element.matches("input:not([type=checkbox]), select, textarea") || element.isContentEditable;
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && (event.target === find || !writable(event.target))) {
    find.value = "";
    find.focus();
    return;
  }
  if (event.key.length !== 1 || event.key === " " || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!writable(event.target)) find.focus();
});

if (matchMedia("(pointer: fine)").matches && document.activeElement === document.body && !location.hash) {
  find.focus({ preventScroll: true });
}
