// Live page: on each ledger event, fetch the same page again and patch only the parts that changed.
// The live word is derived from the age of the last good picture and from the last failure, never from the stream alone.
// Search box: route the keystrokes of a scanner to it from anywhere on the page.
// Oldest browsers: Safari 12, Chrome 61, Firefox 60 (docs/installing.md). A newer function is used only where it exists.
"use strict";

const REST_MS = 300; // least pause between two refreshes
const REST_TIMES = 4; // least pause as a multiple of the last refresh's duration, so a slow hub gets fewer requests
const AFTER_MS = 1000; // second refresh: items that an event changes indirectly are refolded after it
const POLL_MS = 3000; // polling interval without an open stream
const TRY_STREAM_MS = 60000; // pause after a refused stream: all streams are in use
const SETTLED_MS = 500; // a page that is left before this time opens no stream
const AGE_MS = 30000; // refresh interval for ages, which change without events
const GIVE_UP_MS = 15000; // a request without an answer is given up
const OLD_MS = AGE_MS + GIVE_UP_MS; // an older picture is not live, whatever the reason
const SECOND_MS = 1000; // running times, the live word, and the check of what is due

const find = document.getElementById("find");
const state = document.getElementById("live-state");
const regionsOf = (page) => Array.from(page.querySelectorAll("[data-live]"));

let stream = null;
let streamOpen = false;
let streamFrom = 0; // no stream is opened before this time
let request = 0; // number of the request whose answer is awaited; 0: none
let requests = 0;
let refreshPending = false;
let lastRefresh = 0;
let tookMs = 0;
let tag = null; // names the picture of the page; a hub that has no other answers 304
let behind = false; // a scan came after that picture
let timer = 0;
let secondTimer = 0;

// --- the live word ---

let goodAt = clocks(); // when the request of the last good picture was sent
let pictureOf = state.dataset.at; // the hub's clock at that picture
let followed = false; // whether a picture came since the page was loaded
let trouble = null; // why the last request brought no picture
let signedOut = false; // the hub answers, but no longer to the person of this page
let shown = "";

// The monotonic clock stands still while some machines sleep, and the wall clock can be set: the greater difference counts.
function clocks() {
  return { mono: performance.now(), wall: Date.now() };
}

function pictureAge() {
  const now = clocks();
  return Math.max(now.mono - goodAt.mono, Math.abs(now.wall - goodAt.wall));
}

function showState() {
  const asOf = pictureOf ? ", as of " + pictureOf : "";
  if (trouble) showWord(trouble.word + asOf, "off", trouble.href);
  else if (signedOut) showWord("sign in again", "off", signInHref());
  else if (!followed) return; // the word of the hub: the time of the page
  else if (pictureAge() > OLD_MS) showWord("not updated" + asOf, "off");
  else if (streamOpen) showWord("live", "on");
  else showWord("every 3 s", "on");
}

function showWord(text, kind, href) {
  if (shown === text + kind) return; // a status that is written again is read out again
  shown = text + kind;
  state.className = "live " + kind;
  state.textContent = href ? "" : text;
  if (!href) return;
  const link = document.createElement("a");
  link.href = href;
  link.textContent = text;
  if (href !== location.href) {
    link.target = "_blank"; // this page stays, with what is typed in it
    link.rel = "noopener";
  }
  state.appendChild(link);
}

function signInHref() {
  return "/sign-in?next=" + encodeURIComponent(location.pathname + location.search);
}

const AWAY = { word: "hub away" };
const TOO_OLD = { word: "this browser is too old to follow: reload", href: location.href };

function troubleOf(answer) {
  const path = answer.url ? new URL(answer.url, location.href).pathname : location.pathname;
  if (answer.status === 401 || answer.status === 403 || path === "/sign-in") {
    return { word: "sign in again", href: signInHref() };
  }
  return answer.ok && path === location.pathname ? null : { word: "hub error " + answer.status };
}

// --- patch the page ---

function typing(element) {
  const fields = element.matches("input, select, textarea") ? [element] : element.querySelectorAll("input, select, textarea");
  return Array.from(fields).some((field) => {
    if (field.type === "hidden" || field.type === "checkbox") return false;
    return field === document.activeElement || (field.defaultValue !== undefined && field.value !== field.defaultValue);
  });
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

function remove(element) {
  if (element.parentNode) element.parentNode.removeChild(element);
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
  oldByKey.forEach(remove);
}

function patch(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName) {
    old.parentNode.replaceChild(document.importNode(fresh, true), old);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.matches("input, select, textarea") && typing(old)) return;
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
  } else if (!typing(old)) {
    oldNodes.forEach(remove);
    freshNodes.forEach((node) => old.appendChild(document.importNode(node, true)));
  }
}

// A part that the page did not have yet: behind the nearest part before it that both have, else first in its parent.
function insertRegion(wanted) {
  let before = wanted.previousElementSibling;
  while (before && !(before.id && document.getElementById(before.id))) before = before.previousElementSibling;
  const added = document.importNode(wanted, true);
  if (before) {
    const place = document.getElementById(before.id);
    place.parentNode.insertBefore(added, place.nextSibling);
    return;
  }
  const parent = wanted.parentElement && wanted.parentElement.id && document.getElementById(wanted.parentElement.id);
  if (parent) parent.insertBefore(added, parent.firstChild);
}

function patchPage(fresh) {
  for (const region of regionsOf(document)) {
    const wanted = fresh.getElementById(region.id);
    if (wanted) patch(region, wanted);
    else if (!typing(region)) remove(region);
  }
  for (const wanted of regionsOf(fresh)) {
    if (!document.getElementById(wanted.id)) insertRegion(wanted);
  }
  // A session that began after this page was loaded has another token.
  const token = fresh.querySelector("input[name=csrf_token]");
  for (const field of token ? Array.from(document.querySelectorAll("input[name=csrf_token]")) : []) field.value = token.value;
}

// --- fetch the page ---

function refresh() {
  if (request) {
    refreshPending = true;
    return;
  }
  const number = (request = ++requests);
  const sent = clocks();
  lastRefresh = sent.mono;
  const abort = window.AbortController ? new AbortController() : null;
  const givenUp = setTimeout(() => {
    end(number, AWAY);
    if (abort) abort.abort();
  }, GIVE_UP_MS);
  const options = { headers: { Accept: "text/html", "X-Refresh": "1" }, cache: "no-store", credentials: "same-origin" };
  if (abort) options.signal = abort.signal;
  if (tag) options.headers["If-None-Match"] = tag;
  let answered = false;
  let newTag = null;
  fetch(location.href.split("#")[0], options)
    .then((answer) => {
      if (answer.status === 304) return null;
      const why = troubleOf(answer);
      newTag = answer.headers.get("ETag");
      return why ? Promise.reject(why) : answer.text();
    })
    .then((text) => {
      answered = true;
      if (request === number && text !== null) {
        showPicture(new DOMParser().parseFromString(text, "text/html"));
        tag = newTag;
      }
      if (request === number) confirmPicture(sent);
      end(number, null);
    })
    .catch((error) => end(number, error.word ? error : answered ? TOO_OLD : AWAY))
    .then(() => clearTimeout(givenUp));
}

function showPicture(fresh) {
  const now = fresh.getElementById("live-state");
  if (!now) throw new Error("not a page of the hub");
  patchPage(fresh);
  signedOut = Boolean(state.dataset.visitor) && now.dataset.visitor !== state.dataset.visitor;
  pictureOf = now.dataset.at;
  behind = Boolean(now.dataset.behind);
}

// The hub answered with this picture, or that it has no other.
function confirmPicture(sent) {
  refreshPending = refreshPending || behind;
  goodAt = sent;
  followed = true;
}

function end(number, why) {
  if (request !== number) return; // given up before
  request = 0;
  tookMs = performance.now() - lastRefresh;
  trouble = why;
  if (why) {
    disconnect(); // the stream may be dead too: polls find the hub again
  } else if (!stream && performance.now() >= streamFrom) {
    connectLater();
  }
  showState();
  if (refreshPending) {
    refreshPending = false;
    if (!why) scheduleRefresh();
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

function everySecond() {
  runTimes();
  showState();
  if (document.hidden || request || trouble === TOO_OLD) return;
  const pause = streamOpen ? AGE_MS : Math.max(POLL_MS, Math.min(REST_TIMES * tookMs, AGE_MS));
  if (performance.now() - lastRefresh >= pause) refresh();
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
  return text.replace(/ /g, "\u00a0");
}

function runTimes() {
  for (const element of Array.from(document.querySelectorAll("time.running"))) {
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
  if (stream || document.hidden || trouble || !window.EventSource) return;
  const opened = (stream = new EventSource("/api/v1/events"));
  stream.addEventListener("open", () => {
    streamOpen = opened === stream;
    scheduleRefresh(); // events between the page load and the stream's start
  });
  stream.addEventListener("ledger", onLedgerEvent);
  stream.addEventListener("reload", onLedgerEvent);
  stream.addEventListener("error", () => {
    if (opened !== stream) return;
    streamOpen = false; // polls follow until the browser has reconnected
    if (opened.readyState === EventSource.CLOSED) {
      stream = null; // refused: all streams are in use, or the session ended
      streamFrom = performance.now() + TRY_STREAM_MS;
    }
    scheduleRefresh();
  });
}

function disconnect() {
  // A hidden page closes its stream: the hub limits streams, and a browser opens at most six connections to a host.
  if (stream) stream.close();
  stream = null;
  streamOpen = false;
}

function connectLater() {
  setTimeout(connect, SETTLED_MS);
}

if (regionsOf(document).length && window.fetch && window.DOMParser && window.WeakMap) {
  everySecond();
  setInterval(everySecond, SECOND_MS);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) disconnect();
    else {
      connect();
      scheduleRefresh();
      everySecond();
    }
  });
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", (event) => {
    if (event.persisted) scheduleRefresh(); // from the browser's memory, with the token of an earlier session
    connectLater();
  });
} else if (regionsOf(document).length) {
  trouble = TOO_OLD;
  showState();
}

// A form that is sent without a session is lost with what was typed.
document.addEventListener("submit", (event) => {
  const lost = signedOut || (trouble && trouble.word === "sign in again");
  if (!lost || event.target.method !== "post") return;
  event.preventDefault();
  highlight(state);
  const link = state.querySelector("a");
  if (link) link.focus();
});

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
