// Live page: on each ledger event, fetch the same page again and patch only the parts that changed.
// Search box: route the keystrokes of a scanner to it from anywhere on the page.
"use strict";

const REST_MS = 300; // least pause between two refreshes
const REST_TIMES = 4; // least pause as a multiple of the last refresh's duration, so a slow hub gets fewer requests
const AFTER_MS = 1000; // second refresh: items that an event changes indirectly are refolded after it
const POLL_MS = 3000; // polling interval while all streams are in use
const TRY_STREAM_MS = 60000;
const SETTLED_MS = 500; // a page that is left before this time opens no stream
const AGE_MS = 30000; // refresh interval for ages, which change without events
const SECOND_MS = 1000; // running times of open calls

const find = document.getElementById("find");
const state = document.getElementById("live-state");
const regions = () => Array.from(document.querySelectorAll("[data-live]"));

let stream = null;
let poll = 0;
let fetching = false;
let refreshPending = false;
let lastRefresh = 0;
let tookMs = 0;
let timer = 0;
let secondTimer = 0;

function showState(word, kind) {
  if (state.textContent !== word) state.textContent = word;
  state.className = "live " + kind;
}

// --- patch the page ---

function editing(element) {
  const focus = document.activeElement;
  return focus && element.contains(focus) && focus.matches("input, select, textarea");
}

function patchAttributes(old, fresh) {
  for (const { name } of Array.from(old.attributes)) {
    // Keep an opened <details> open, and let a running highlight end.
    if (!fresh.hasAttribute(name) && name !== "open" && name !== "class") old.removeAttribute(name);
  }
  for (const { name, value } of Array.from(fresh.attributes)) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (!fresh.hasAttribute("class") && old.className) old.removeAttribute("class");
}

function highlight(element) {
  element.classList.remove("glow");
  void element.getBoundingClientRect(); // forces a reflow, which restarts the animation
  element.classList.add("glow");
}

function keyed(parent) {
  return parent.children.length > 0 && Array.from(parent.children).every((child) => child.dataset.key !== undefined);
}

function patchKeyed(old, fresh) {
  const oldByKey = new Map(Array.from(old.children, (child) => [child.dataset.key, child]));
  let place = old.firstElementChild;
  for (const wanted of Array.from(fresh.children)) {
    const existing = oldByKey.get(wanted.dataset.key);
    if (existing === undefined) {
      const added = document.importNode(wanted, true);
      old.insertBefore(added, place);
      highlight(added);
      continue;
    }
    oldByKey.delete(wanted.dataset.key);
    if (existing === place) place = place.nextElementSibling;
    else old.insertBefore(existing, place);
    const moved = existing.dataset.mark !== wanted.dataset.mark;
    patch(existing, wanted);
    if (moved) highlight(existing);
  }
  for (const removed of oldByKey.values()) removed.remove();
}

function patch(old, fresh) {
  if (old.isEqualNode(fresh) || editing(old)) return;
  if (old.nodeName !== fresh.nodeName) {
    old.replaceWith(document.importNode(fresh, true));
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  patchAttributes(old, fresh);
  if (keyed(old) && keyed(fresh)) {
    patchKeyed(old, fresh);
    return;
  }
  const oldNodes = Array.from(old.childNodes);
  const freshNodes = Array.from(fresh.childNodes);
  const sameShape =
    oldNodes.length === freshNodes.length && oldNodes.every((node, index) => node.nodeName === freshNodes[index].nodeName);
  if (sameShape) {
    oldNodes.forEach((node, index) => patch(node, freshNodes[index]));
  } else {
    old.replaceChildren(...freshNodes.map((node) => document.importNode(node, true)));
  }
}

async function refresh() {
  if (fetching) {
    refreshPending = true;
    return;
  }
  fetching = true;
  lastRefresh = performance.now();
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store", redirect: "error" });
    if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const region of regions()) {
        const wanted = fresh.getElementById(region.id);
        if (wanted) patch(region, wanted);
      }
      if (stream === null) showState("every 3 s", "on");
    }
  } catch {
    showState("hub away", "off");
  } finally {
    fetching = false;
    tookMs = performance.now() - lastRefresh;
    if (refreshPending) {
      refreshPending = false;
      scheduleRefresh();
    }
  }
}

function scheduleRefresh() {
  if (timer) return;
  const wait = Math.max(0, Math.max(REST_MS, REST_TIMES * tookMs) - (performance.now() - lastRefresh));
  timer = setTimeout(() => {
    timer = 0;
    refresh();
  }, wait);
}

// --- running times: the hub's clock at the time of the page, and the time since; the clock of this machine may be wrong ---

const clockOf = new WeakMap();

function durationText(seconds) {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  let text = minutes ? minutes + " min" : seconds + " s";
  if (days) text = hours && days < 100 ? days + " d " + hours + " h" : days + " d";
  else if (seconds >= 3600) text = minutes ? Math.floor(seconds / 3600) + " h " + minutes + " min" : Math.floor(seconds / 3600) + " h";
  return text.replaceAll(" ", "\u00a0");
}

function runTimes() {
  for (const element of document.querySelectorAll("time.running")) {
    let clock = clockOf.get(element);
    if (!clock || clock.now !== element.dataset.now) {
      clock = { now: element.dataset.now, at: performance.now() };
      clockOf.set(element, clock);
    }
    const passed = Math.floor((performance.now() - clock.at) / 1000);
    const text = durationText(Math.max(0, Number(clock.now) + passed - Number(element.dataset.since)));
    if (element.textContent !== text) element.textContent = text;
  }
}

// --- event stream ---

function onLedgerEvent() {
  scheduleRefresh();
  clearTimeout(secondTimer);
  secondTimer = setTimeout(scheduleRefresh, AFTER_MS);
}

function connect() {
  if (stream || document.hidden) return;
  stream = new EventSource("/api/v1/events");
  stream.addEventListener("open", () => {
    clearInterval(poll);
    poll = 0;
    showState("live", "on");
    scheduleRefresh(); // events between the page load and the stream's start
  });
  stream.addEventListener("ledger", onLedgerEvent);
  stream.addEventListener("reload", onLedgerEvent);
  stream.addEventListener("error", () => {
    if (stream.readyState !== EventSource.CLOSED) {
      showState("hub away", "off"); // the browser reconnects by itself
      return;
    }
    stream = null; // refused: all streams are in use
    if (!poll) poll = setInterval(refresh, POLL_MS);
    setTimeout(connect, TRY_STREAM_MS);
  });
}

function disconnect() {
  // A hidden page closes its stream: the hub limits streams, and a browser opens at most six connections to a host.
  if (stream) stream.close();
  stream = null;
  clearInterval(poll);
  poll = 0;
}

function connectLater() {
  setTimeout(connect, SETTLED_MS);
}

if (regions().length) {
  runTimes();
  setInterval(runTimes, SECOND_MS);
  setInterval(() => document.hidden || scheduleRefresh(), AGE_MS);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) disconnect();
    else {
      connect();
      scheduleRefresh();
    }
  });
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", connectLater);
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

// The text stays in the box while its page loads. Selected, it is replaced by the next scan.
find.form.addEventListener("submit", () => find.select());

if (matchMedia("(pointer: fine)").matches && document.activeElement === document.body && !location.hash) {
  find.focus({ preventScroll: true });
}
