// The filters of the page; what is chosen is kept in the address by the caller.

import { button, h } from "./dom.js";

export const NAMES = ["text", "dag", "model", "state", "day"];
const STATES = { "": "All states", archived: "Archived", waiting: "Waiting", failed: "Failed" };
const TYPING_MS = 350;

/** Make the filters; those that the place sets are not shown. */
export function makeFilters(fixed, onchange) {
  let timer = 0;
  const typed = () => { clearTimeout(timer); timer = setTimeout(onchange, TYPING_MS); };
  const select = (name, label, all) => h("select", { name, "aria-label": label, onchange }, h("option", { value: "" }, all));
  const fields = {
    text: h("input", { type: "search", name: "text", placeholder: "Search prompts, request ids, seeds", "aria-label": "Search", maxLength: 250, oninput: typed }),
    dag: select("dag", "DAG", "All DAGs"),
    model: select("model", "Model", "All models"),
    state: h("select", { name: "state", "aria-label": "State", onchange }, Object.entries(STATES).map(([value, label]) => h("option", { value }, label))),
    day: h("input", { type: "date", name: "day", "aria-label": "Day (UTC)", onchange }),
  };
  const shown = NAMES.filter((name) => !(name in fixed));
  const element = h("form", { class: "sfg-filters", role: "search", "aria-label": "Filter videos", onsubmit: (event) => { event.preventDefault(); clearTimeout(timer); onchange(); } },
    shown.map((name) => fields[name]), button("Clear", () => clear(), { class: "sfg-button" }));

  function params() {
    return new URLSearchParams(shown.map((name) => [name, fields[name].value.trim()]).filter(([, value]) => value));
  }
  function set(search) {
    for (const name of shown) choose(name, search.get(name) ?? "");
  }
  function choose(name, value) {
    const field = fields[name];
    if (field.tagName === "SELECT" && value && ![...field.options].some((option) => option.value === value)) field.append(h("option", { value }, value));
    if (field.value !== value) field.value = value;
  }
  function clear() {
    set(new URLSearchParams());
    onchange();
  }
  /** Offer the DAGs and models that there are. */
  function offer(sums) {
    for (const name of ["dag", "model"]) {
      const known = new Set([...fields[name].options].map((option) => option.value));
      for (const value of [...new Set(sums.map((sum) => sum[name]))].filter(Boolean).sort()) if (!known.has(value)) fields[name].append(h("option", { value }, value));
    }
  }
  return { element, params, set, clear, offer };
}
