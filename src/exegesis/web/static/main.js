// The page: a state, the requests that it needs, and what they answer.

import { ask, download, get } from "./ask.js";
import { $, el, insert, options } from "./dom.js";
import { address, keep, read } from "./state.js";
import { available, body, choices, prediction, reach, show, VIEWS } from "./views.js";
import { strip } from "./words.js";

const SLOW = 300; // milliseconds after which work is shown
const WAIT = 200; // milliseconds of quiet after a change of a word
let state = read();
let served = [];
let shelf = { start: 0 };
let running = null; // the request on its way
let original = null; // the answer for the text as it stands, and the body that it answers
let later = 0;

const model = () => served.find((one) => one.name === state.model) ?? served[0];
const say = (text, kind = "") => { $("status").textContent = text; $("status").className = kind; }; // "hidden": heard only

function fill() {
  const ready = served.filter((one) => one.state !== "failed");
  state.model = model().name;
  const entries = served.map((one) => [one.name, one.state === "failed" ? `${one.name} (could not be loaded)` : one.name]);
  options($("model"), entries, state.model);
  options($("other"), [["", "no other model"], ...ready.filter((one) => one.name !== state.model).map((one) => [one.name, one.name])], state.other);
  $("beside").hidden = ready.length < 2;
  const labels = model().labels ?? [];
  options($("target"), [["", "why this prediction?"], ...labels.map((label) => [label, `what speaks for ${label}?`])], state.target);
  $("second").hidden = !model().pair;
}

function write() {
  $("text").value = state.text;
  $("pair").value = state.pair;
}

function tabs() {
  const names = available(model());
  if (!names.includes(state.view)) state.view = "words";
  $("tabs").replaceChildren(...names.map((view) => el("button", {
    type: "button", role: "tab", id: `tab-${view}`, "aria-selected": String(view === state.view), "aria-controls": "panel",
    tabindex: view === state.view ? "0" : "-1", onclick: () => change({ view }),
  }, VIEWS[view])));
  const strip = $("tabs"), chosen = $(`tab-${state.view}`); // on a phone it may lie outside
  strip.scrollLeft = chosen.offsetLeft - strip.offsetLeft - (strip.clientWidth - chosen.offsetWidth) / 2;
  $("panel").dataset.view = state.view;
  $("panel").setAttribute("aria-labelledby", `tab-${state.view}`);
}

$("tabs").addEventListener("keydown", (event) => {
  const all = [...$("tabs").children];
  const step = { ArrowRight: 1, ArrowLeft: -1, Home: -all.length, End: all.length }[event.key];
  if (!step) return;
  event.preventDefault();
  const at = all.indexOf(document.activeElement) + step;
  const next = all[Math.abs(step) === 1 ? (at + all.length) % all.length : step < 0 ? 0 : all.length - 1];
  const view = next.id.slice(4);
  change({ view });
  $(`tab-${view}`).focus();
});

function change(changes, push = true) {
  Object.assign(state, changes);
  keep(state, push);
  explain();
}

// Run a request in the place of the one on its way; null if another one took its place.
async function request(asked) {
  running?.abort();
  const mine = (running = new AbortController());
  const timer = setTimeout(() => { $("work").hidden = false; $("bar").removeAttribute("value"); $("doing").textContent = "waiting"; }, SLOW);
  const heard = (event) => {
    if (event.event === "queued" && event.before) $("doing").textContent = `${event.before} requests before this one`;
    if (event.event === "failed") $("doing").textContent = `${event.model} has no answer`;
    if (event.event === "started") $("doing").textContent = "working";
    if (event.event === "progress") {
      $("doing").textContent = `${event.what}: ${event.done} of ${event.total}`;
      $("bar").max = event.total;
      $("bar").value = event.done;
    }
  };
  try {
    return await ask(asked, heard, mine.signal);
  } catch (error) {
    if (running !== mine) return null;
    say(error.name === "AbortError" ? "cancelled" : error.message, error.name === "AbortError" ? "" : "bad");
    return null;
  } finally {
    clearTimeout(timer);
    if (running === mine) { running = null; $("work").hidden = true; }
  }
}

$("stop").addEventListener("click", () => running?.abort());

async function explain() {
  if (!served.length) return; // it begins when the models are known
  if (!state.text.trim()) { $("answer").hidden = true; say(""); return; }
  if (model().state !== "ready") {
    say(model().state === "failed" ? `${state.model}: ${model().reason}` : "the model is loading …", model().state === "failed" ? "bad" : "");
    return;
  }
  tabs();
  choices($("choices"), state, model(), change);
  const asked = body(state, model());
  say("");
  const found = await request(asked);
  if (!found) { if (!original) $("answer").hidden = true; return; }
  original = { found, asked };
  const first = $("answer").hidden;
  $("answer").hidden = false;
  if (first) tabs(); // now that they have places
  document.title = `${state.text.slice(0, 50)} · Exegesis`;
  draw();
  if (Object.keys(state.changes).length) await again();
}

function draw() {
  const { found } = original;
  $("prediction").replaceChildren(...prediction(found.results));
  const parts = found.results[0]?.words;
  const words = parts && state.view === "words" ? strip(parts, state.changes, altered) : null;
  show($("drawn"), state.view, found, words);
  requestAnimationFrame(() => reach($("drawn")));
  const placed = words && words.isConnected;
  $("strip").className = words && !placed ? $("drawn").firstElementChild?.className ?? "" : "";
  $("strip").replaceChildren(...(words && !placed ? [words] : []));
  if (!Object.keys(state.changes).length) $("changed").replaceChildren();
  const failed = Object.entries(found.errors ?? {}).map(([name, why]) => `${name}: ${why}`);
  if (failed.length) say(failed.join(" · "), "bad");
  else say(found.results[0]?.label ? `${found.results[0].model} says ${found.results[0].label}` : "", "hidden");
}

function altered(word, value) {
  if (value === null) delete state.changes[word];
  else state.changes[word] = value;
  keep(state, true);
  draw();
  $("drawn").querySelectorAll(".word")[word]?.focus();
  clearTimeout(later);
  later = setTimeout(again, WAIT);
}

// The text with its changes, beside the text as it stands.
async function again() {
  if (!Object.keys(state.changes).length) { $("changed").replaceChildren(); return; }
  const found = await request({ ...original.asked, changes: state.changes });
  if (!found) return;
  const inner = el("div");
  insert(inner, found.html);
  const undo = el("button", { type: "button", class: "quiet", onclick: () => change({ changes: {} }) }, "Put everything back");
  $("changed").replaceChildren(el("section", { class: "after", "aria-label": "After the changes" },
    el("h2", {}, "After your changes"), ...prediction(found.results, original.found.results), inner, undo));
  requestAnimationFrame(() => reach($("changed")));
  say(`after the changes, ${found.results[0]?.model} says ${found.results[0]?.label}`, "hidden");
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  change({ text: $("text").value, pair: $("pair").value, changes: {} });
});
for (const id of ["text", "pair"]) $(id).addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("form").requestSubmit();
});
$("model").addEventListener("change", (event) => {
  const other = state.other === event.target.value ? "" : state.other;
  Object.assign(state, { model: event.target.value, other, target: "", methods: [], layer: "", head: "", site: "", source: "", changes: {}, text: $("text").value });
  fill();
  change({});
});
$("other").addEventListener("change", (event) => change({ other: event.target.value }));
$("target").addEventListener("change", (event) => change({ target: event.target.value }));
window.addEventListener("popstate", () => { state = read(); fill(); write(); explain(); });

for (const button of document.querySelectorAll("#exports [data-form]")) button.addEventListener("click", async () => {
  try {
    await download({ ...original.asked, changes: state.changes }, button.dataset.form);
  } catch (error) { say(error.message, "bad"); }
});
$("link").addEventListener("click", async () => {
  const place = address(state);
  if (!place) { say("the text is too long for a link: keep it as HTML or JSON", "bad"); return; }
  try { await navigator.clipboard.writeText(place); say("the link is copied"); } catch { say(place); }
});

async function shelved(start) {
  const found = await get(`/api/texts?start=${start}&find=${encodeURIComponent($("find").value)}`);
  const row = (one) => el("li", {}, el("button", { type: "button", class: "quiet", onclick: () => {
    $("texts").close();
    Object.assign(state, { text: one.text, pair: one.pair ?? "", changes: {} });
    write();
    change({});
  } }, el("bdi", {}, one.pair ? `${one.text} | ${one.pair}` : one.text), " ", el("span", { class: "what" }, one.label ?? "")));
  if (!start) $("found").replaceChildren();
  $("found").append(...found.texts.map(row));
  shelf = { start: start + found.texts.length };
  $("more").hidden = !found.more;
}
$("pick").addEventListener("click", () => { $("texts").showModal(); shelved(0); });
$("more").addEventListener("click", () => shelved(shelf.start));
$("find").addEventListener("input", () => { clearTimeout(later); later = setTimeout(() => shelved(0), WAIT); });

$("told").addEventListener("toggle", async () => {
  const place = $("told").querySelector("div");
  if (!$("told").open || place.childElementCount) return;
  place.textContent = "reading the store …";
  try {
    insert(place, (await get("/api/store")).html);
    reach(place);
  } catch (error) { place.textContent = error.message; }
});

write();

async function begin() {
  const told = await get("/api/models");
  served = told.models;
  $("pick").hidden = !told.store;
  $("text").maxLength = told.characters;
  fill();
  if (served.some((one) => one.state === "loading")) {
    say("the model is loading …");
    setTimeout(begin, 700);
    if (model().state === "loading") return;
  }
  if (!original || state.text) explain();
}
begin().catch((error) => say(error.message, "bad"));
