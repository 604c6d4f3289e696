// The views: what each asks of the server, what can be chosen in it, and how its answer is shown.

import { el, insert, options, percent } from "./dom.js";
import { tree } from "./tree.js";

export const VIEWS = {
  words: "Words", methods: "Methods", classes: "Classes", phrases: "Phrases", pairs: "Pairs of words", attention: "Attention",
  gates: "Gates", layers: "Layers", information: "Information", training: "Training texts", trust: "Trust",
};
const HELP = {
  words: "Each word with what it does for the prediction. Choose a word to take it away or replace it.",
  methods: "The same question, answered by several methods. Where they disagree, none should be believed alone.",
  classes: "What each word does for every class.",
  phrases: "Which words act together: open a phrase to see its parts.",
  pairs: "What two words do together beyond what each does alone.",
  attention: "What each word takes from the others, layer by layer. Attention is no explanation by itself.",
  gates: "What the gates of the network let through at each word.",
  layers: "How relevance arrives at each layer.",
  information: "How much of each word the layers still hold. This takes several seconds for each layer.",
  training: "The training texts behind this answer: those that speak for it, and those that speak against it.",
  trust: "How far the explanation can be trusted: what happens if its top words go, and whether other methods agree.",
};
const BESIDE = ["leave-one-out", "lrp", "gradient-x-input", "shapley", "lime", "kernel-shap"]; // beside the default, if served

export function available(model) {
  const labels = model.labels.length > 1;
  return Object.keys(VIEWS).filter((view) =>
    ["words", "methods", "trust"].includes(view) || (view === "classes" ? labels : model.views.includes(view)));
}

export function usual(model) {
  const known = model.methods.map((method) => method.name);
  return [model.preferred, ...BESIDE.filter((name) => known.includes(name) && name !== model.preferred)].slice(0, 3);
}

// The body of the request for a state, without its changes.
export function body(state, model) {
  const asked = { text: state.text, models: [state.model], form: "view", view: state.view };
  if (state.other && state.other !== state.model) asked.models.push(state.other);
  if (model.pair) asked.pair = state.pair;
  if (state.target) asked.target = state.target;
  if (state.view === "methods") Object.assign(asked, { view: "words", methods: state.methods.length ? state.methods : usual(model) });
  if (state.view === "classes") Object.assign(asked, { view: "words", target: "all" });
  if (state.view === "trust") Object.assign(asked, { view: "words", trust: true });
  if (state.view === "phrases" && state.search) asked.search = state.search;
  if (state.view === "attention") {
    if (state.map) asked.methods = [state.map];
    for (const name of ["layer", "head"]) if (/^[1-9]\d{0,3}$/.test(state[name])) asked[name] = Number(state[name]);
  }
  if (state.view === "information" && state.site) asked.sites = [state.site];
  if (state.view === "training" && state.source) asked.methods = [state.source];
  return asked;
}

export function choices(place, state, model, chosen) {
  const parts = [el("h2", { class: "hidden" }, VIEWS[state.view]), el("p", { class: "what help" }, HELP[state.view])];
  const select = (label, entries, value, put) => {
    const made = el("select", { onchange: (event) => put(event.target.value) });
    options(made, entries, value);
    return el("label", {}, `${label} `, made);
  };
  if (state.view === "methods") {
    const active = state.methods.length ? state.methods : usual(model);
    const box = (method) => el("label", { class: "tick", title: method.summary }, el("input", {
      type: "checkbox", value: method.name, checked: active.includes(method.name),
      onchange: (event) => {
        const ticked = [...event.target.closest("fieldset").querySelectorAll("input:checked")].map((input) => input.value);
        if (!ticked.length || ticked.length > 8) event.target.checked = !event.target.checked;
        else chosen({ methods: ticked });
      },
    }), ` ${method.name}`);
    parts.push(el("details", { class: "all" }, el("summary", {}, "Choose methods"),
      el("fieldset", {}, el("legend", { class: "hidden" }, "Methods, up to eight"), ...model.methods.map(box))));
  }
  if (state.view === "phrases")
    parts.push(select("Found by", model.searches.map((name) => [name, name]), state.search || "acd", (search) => chosen({ search })));
  if (state.view === "attention")
    parts.push(select("Shown", model.attention.map((name) => [name, name]), state.map || "attention", (map) => chosen({ map, layer: "", head: "" })));
  const numbers = (what, known) => [["", `all ${what}s`], ...known.map((number) => [String(number), `${what} ${number}`])];
  if (state.view === "attention" && model.places.length) {
    const heads = [...new Set(model.places.filter(([layer]) => !state.layer || String(layer) === state.layer).flatMap(([, own]) => own))];
    parts.push(select("Layer", numbers("layer", model.places.map(([layer]) => layer)), state.layer, (layer) => chosen({ layer, head: "" })));
    if (heads.length > 1) parts.push(select("Head", numbers("head", heads), state.head, (head) => chosen({ head })));
  }
  if (state.view === "information" && model.sites.length > 1)
    parts.push(select("Layer", [["", "all layers"], ...model.sites.map((name) => [name, name])], state.site, (site) => chosen({ site })));
  if (state.view === "training" && model.sources.length > 1)
    parts.push(select("Found by", model.sources.map((name) => [name, name]), state.source || "nearest", (source) => chosen({ source })));
  place.replaceChildren(...parts);
}

// The probabilities of each model; `before` are those of the text without changes.
export function prediction(results, before = null) {
  const first = new Map();
  results.forEach((result, at) => { if (result.probabilities && !first.has(result.model)) first.set(result.model, at); });
  return [...first].map(([name, at]) => {
    const rows = results[at].probabilities.filter(([, value]) => value !== null).slice(0, 6).map(([label, value]) => {
      const old = before?.[at]?.probabilities?.find(([other]) => other === label)?.[1];
      const fill = el("i");
      fill.style.width = `${100 * value}%`;
      const moved = old === undefined || old === null ? [] : [" ", el("span", { class: "what" }, `was ${percent(old)}`)];
      return el("tr", { class: label === results[at].label ? "best" : "" }, el("th", { scope: "row" }, el("bdi", {}, label)),
        el("td", {}, el("span", { class: "gauge" }, fill)), el("td", { class: "number" }, el("span", {}, percent(value)), ...moved));
    });
    return el("figure", {}, el("figcaption", {}, el("span", { class: "what" }, `${name} says `), el("strong", {}, el("bdi", {}, results[at].label))),
      el("table", { class: "bars" }, el("tbody", {}, ...rows)));
  });
}

// What scrolls sideways can be reached by the keyboard.
export function reach(place) {
  for (const one of place.querySelectorAll(".scroll, .lines")) {
    if (one.scrollWidth <= one.clientWidth) continue;
    one.tabIndex = 0;
    one.setAttribute("role", "group");
    one.setAttribute("aria-label", "scrolls sideways");
  }
}

export function show(place, view, found, words) {
  insert(place, found.html);
  const rows = place.querySelectorAll(".rows > .row");
  if (view === "words" && words && rows.length === 1) rows[0].replaceWith(words);
  const trees = found.results.filter((result) => result.tree);
  if (trees.length) place.prepend(...trees.map((result) => {
    const heading = trees.length > 1 ? [el("h2", {}, result.model)] : [];
    return el("section", { class: place.firstElementChild.className }, ...heading, tree(result.tree));
  }));
}
