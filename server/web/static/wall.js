// Wall: show the panels one after another until the button pauses them. Without this script they are one column.
"use strict";

(() => {
  const EACH_MS = 10000;
  const main = document.getElementById("main");
  const pause = document.getElementById("wall-pause");
  const count = main.querySelectorAll(".panel").length;
  let shown = 0;
  let timer = 0;

  function show(number) {
    shown = (number + count) % count;
    main.dataset.panel = String(shown + 1);
  }

  function run() {
    timer = window.setInterval(() => show(shown + 1), EACH_MS);
    pause.textContent = "Pause";
  }

  function stop() {
    window.clearInterval(timer);
    timer = 0;
    pause.textContent = "Continue";
  }

  pause.hidden = false;
  pause.addEventListener("click", () => (timer ? stop() : run()));
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input, button, a")) return;
    if (event.key === "ArrowRight") show(shown + 1);
    else if (event.key === "ArrowLeft") show(shown - 1);
  });
  show(0);
  run();
})(); // a function scope, because live.js runs on the same page
