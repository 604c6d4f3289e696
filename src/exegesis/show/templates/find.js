"use strict";
const panels = [...document.querySelectorAll("section.panel")];
const texts = panels.map((panel) => panel.innerText.toLowerCase());
const home = panels[0].parentElement, after = panels.at(-1).nextSibling;
const [box, order, said] = ["input", "select", "span"].map((tag) => document.querySelector(`.tools ${tag}`));
box.addEventListener("input", () => {
  const wanted = box.value.trim().toLowerCase();
  panels.forEach((panel, at) => { panel.hidden = !texts[at].includes(wanted); });
  said.textContent = wanted ? `${panels.filter((panel) => !panel.hidden).length} of ${panels.length}` : "";
});
order.addEventListener("change", () => {
  const [sign, ...name] = order.value.split(" ");
  const number = (panel) => sign * panel.getAttribute(`data-${name.join("-")}`);
  const sorted = sign ? [...panels].sort((one, other) => number(one) - number(other)) : panels;
  sorted.forEach((panel) => home.insertBefore(panel, after));
});
