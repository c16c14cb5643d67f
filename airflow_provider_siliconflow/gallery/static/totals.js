// Sums of videos, cost and waiting, by DAG and day.

import { h, money, seconds } from "./dom.js";

const GROUPS = { submitted: "waiting", ready: "waiting", archived: "archived" };

/** Mean seconds that videos of each model took; of all under undefined. */
export function typicalWaits(sums) {
  const found = new Map();
  for (const { model, waited, waits } of sums) {
    if (!waits) continue;
    for (const key of [model, undefined]) {
      const [total, count] = found.get(key) ?? [0, 0];
      found.set(key, [total + waited, count + waits]);
    }
  }
  return new Map([...found].map(([key, [total, count]]) => [key, total / count]));
}

/** Make the panel of totals; they are asked for again when it is opened. */
export function makeTotals(load) {
  const body = h("div", { class: "sfg-totals-body" }, h("p", {}, "Adding up…"));
  const element = h("details", { class: "sfg-totals", ontoggle: () => element.open && load() }, h("summary", {}, "Totals"), body);
  return {
    element,
    fail: (message) => body.replaceChildren(h("p", { role: "alert" }, message)),
    show: (sums) => body.replaceChildren(...describe(sums)),
  };
}

function describe(sums) {
  if (!sums.length) return [h("p", {}, "Nothing to add up.")];
  const all = add(sums);
  const groups = new Map();
  for (const sum of sums) {
    const key = `${sum.day}\n${sum.dag}`;
    groups.set(key, [...(groups.get(key) ?? []), sum]);
  }
  const number = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  const rows = [...groups].map(([key, group]) => {
    const [day, dag] = key.split("\n");
    const total = add(group);
    return h("tr", {}, h("td", {}, day), h("td", {}, dag), ...[total.archived, total.waiting, total.failed, total.cost, total.wait].map((value) => h("td", {}, String(value))));
  });
  return [
    h("dl", { class: "sfg-numbers" }, number("Archived", all.archived), number("Waiting", all.waiting), number("Failed", all.failed), number("Estimated cost", all.cost), number("Mean wait", all.wait)),
    h("div", { class: "sfg-scroll", tabIndex: 0, role: "region", "aria-label": "Totals by day and DAG" }, h("table", {},
      h("thead", {}, h("tr", {}, ["Day (UTC)", "DAG", "Archived", "Waiting", "Failed", "Estimated cost", "Mean wait"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, rows))),
  ];
}

function add(sums) {
  const total = { archived: 0, waiting: 0, failed: 0 };
  const costs = new Map();
  let waited = 0;
  let waits = 0;
  for (const sum of sums) {
    total[GROUPS[sum.state] ?? "failed"] += sum.count;
    if (sum.estimated_cost) costs.set(sum.currency, (costs.get(sum.currency) ?? 0) + sum.estimated_cost);
    waited += sum.waited ?? 0;
    waits += sum.waits;
  }
  const cost = [...costs].map(([currency, amount]) => money(amount, currency)).join(" + ");
  return { ...total, cost: cost || "–", wait: waits ? seconds(waited / waits) : "–" };
}
