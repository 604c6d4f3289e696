// Elements made and filled without any string that is parsed as code.

export const $ = (id) => document.getElementById(id);

export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// A fragment of the server: it is escaped there, a script in it would not run, and the styles of its elements, which the
// policy of this page keeps out of attributes, are set one by one.
export function insert(place, html) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  const nodes = [...parsed.body.childNodes].map((node) => document.importNode(node, true));
  place.replaceChildren(...nodes);
  for (const styled of place.querySelectorAll("[data-style]")) styled.style.cssText = styled.dataset.style;
}

export function options(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, text]) => el("option", { value, selected: value === chosen }, text)));
}

export const percent = (value) => (value === null ? "" : `${(100 * value).toFixed(value > 0.0995 && value < 0.9995 ? 0 : 1)} %`);
