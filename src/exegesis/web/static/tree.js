// Phrases as a tree to open and close: nested disclosures, which every keyboard and screen reader knows.

import { el } from "./dom.js";

const OPEN = 2; // levels that are open at first

export function tree(phrases) {
  const root = el("div", { class: "phrases" });
  const around = [];
  phrases.forEach((phrase, at) => {
    const inner = at + 1 < phrases.length && phrases[at + 1].depth > phrase.depth;
    const said = [el("span", { class: `c ${phrase.paint}` }, el("bdi", {}, phrase.text)), el("span", { class: "number" }, phrase.score)];
    if (phrase.interaction) said.push(el("span", { class: "what" }, `together ${phrase.interaction}`));
    const made = inner
      ? el("details", { open: phrase.depth < OPEN }, el("summary", {}, ...said))
      : el("div", { class: "leaf" }, ...said);
    around.length = phrase.depth;
    (around.at(-1) ?? root).append(made);
    around.push(made);
  });
  const all = (open) => () => root.querySelectorAll("details").forEach((one) => { one.open = open; });
  const buttons = el("div", { class: "controls" },
    el("button", { type: "button", class: "quiet", onclick: all(true) }, "Open all"),
    el("button", { type: "button", class: "quiet", onclick: all(false) }, "Close all"));
  return phrases.length > 1 ? el("div", {}, buttons, root) : root;
}
