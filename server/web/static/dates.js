// Date fields: up and down step by a day, Page Up and Page Down by a week, never past the greatest time of the field.
// The text of a field is a local time of the site; a step keeps the time of day, whatever the zone of this machine.
"use strict";

(() => {
  const DAY_MS = 86400000;
  const STEPS = { ArrowUp: 1, ArrowDown: -1, PageUp: 7, PageDown: -7 };

  function stepped(text, days) {
    const at = new Date(text.slice(0, 16) + ":00Z");
    return isNaN(at) ? "" : new Date(at.getTime() + days * DAY_MS).toISOString().slice(0, 16);
  }

  for (const field of Array.from(document.querySelectorAll("input[data-steps]"))) {
    field.addEventListener("keydown", (event) => {
      const days = STEPS[event.key];
      if (!days || event.ctrlKey || event.metaKey || event.altKey) return;
      const value = stepped(field.value || field.max, days);
      if (!value) return;
      event.preventDefault();
      field.value = field.max && value > field.max ? field.max : value;
    });
  }
})();
