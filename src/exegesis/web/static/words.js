// The user's own words in colour; a click opens what can be done to a word: take it away, replace it, put it back.

import { el } from "./dom.js";

export function strip(parts, changes, changed) {
  const row = el("div", { class: "row words", dir: "auto", role: "group", "aria-label": "The text: choose a word to change it" });
  let menu = null;
  const close = (focus) => {
    const owner = menu?.owner;
    menu?.node.remove();
    menu = null;
    owner?.setAttribute("aria-expanded", "false");
    if (focus) owner?.focus();
  };
  const open = (button, part) => {
    const again = menu?.owner === button;
    close(false);
    if (again) return;
    const field = el("input", { type: "text", "aria-label": `Instead of ${part.text}`, maxlength: "200", value: changes[part.word] || "" });
    const put = (value) => { close(true); changed(part.word, value); };
    const node = el("form", { class: "menu", onsubmit: (event) => { event.preventDefault(); if (field.value.trim()) put(field.value.trim()); } },
      el("span", { class: "what" }, part.score ? `score ${part.score}` : "no score"),
      part.word in changes ? el("button", { type: "button", onclick: () => put(null) }, "Put back")
        : el("button", { type: "button", onclick: () => put("") }, "Take away"),
      field, el("button", { class: "quiet" }, "Replace"));
    node.addEventListener("keydown", (event) => { if (event.key === "Escape") close(true); });
    button.after(node);
    button.setAttribute("aria-expanded", "true");
    menu = { node, owner: button };
    node.querySelector("button").focus();
  };
  for (const part of parts) {
    if (part.word === undefined) { row.append(part.text); continue; }
    const gone = part.word in changes;
    const button = el("button", {
      type: "button", class: `c word ${part.paint}${gone ? " gone" : ""}`, "aria-expanded": "false",
      "aria-label": `${part.text}${part.score ? `: ${part.score}` : ""}${gone ? (changes[part.word] ? `, replaced by ${changes[part.word]}` : ", taken away") : ""}`,
      onclick: () => open(button, part),
    }, part.text);
    if (part.score) button.dataset.s = part.score;
    row.append(button);
    if (gone && changes[part.word]) row.append(el("ins", { "aria-hidden": "true" }, changes[part.word]));
  }
  return row;
}
