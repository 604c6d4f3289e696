// What the page shows, as the query of its address: every state has a link that opens it again.

const LONGEST = 8000; // characters of an address that browsers and servers surely take
const LISTS = ["methods"];
const NAMES = ["text", "pair", "model", "other", "view", "target", "search", "map", "layer", "head", "site", "source", ...LISTS];

export function read() {
  const query = new URLSearchParams(location.search);
  const state = Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]));
  for (const name of LISTS) state[name] = state[name] ? state[name].split(",") : [];
  state.changes = {};
  for (const [name, value] of query) if (/^word\d+$/.test(name)) state.changes[name.slice(4)] = value;
  state.view = state.view || "words";
  return state;
}

export function address(state) {
  const query = new URLSearchParams();
  for (const name of NAMES) {
    const value = LISTS.includes(name) ? state[name].join(",") : state[name];
    if (value && !(name === "view" && value === "words")) query.set(name, value);
  }
  for (const [word, value] of Object.entries(state.changes)) query.set(`word${word}`, value);
  const found = `${location.origin}/${query.size ? "?" : ""}${query}`;
  return found.length > LONGEST ? "" : found;
}

export function keep(state, push) {
  const place = address(state);
  if (!place || place === location.href) return;
  if (push) history.pushState(null, "", place);
  else history.replaceState(null, "", place);
}
