// "Make it again": a new run of the DAG with the params of this one, which the user can change first.
// Airflow 3.1 to 3.3 open no trigger form from an address, so this is one; Airflow checks the rights.

import { button, call, cost, h, pages } from "./dom.js";

const OF_RECORD = ["prompt", "negative_prompt", "model", "image_size", "seed", "image"];

/** Ask for the params of a new run and trigger it. */
export async function makeAgain(root, video, context) {
  const dialog = h("dialog", { class: "sfg-dialog sfg-again", "aria-label": "Make it again" });
  dialog.addEventListener("close", () => dialog.remove());
  root.append(dialog);
  dialog.append(h("p", { role: "status" }, "Reading the params of the run…"));
  dialog.showModal();
  try {
    const [run, dag] = await Promise.all([
      call(`api/v2${pages.run(video).replace("/runs/", "/dagRuns/")}`), call(`api/v2${pages.dag(video)}/details`)]);
    form(dialog, video, context, valuesOf(video, dag.params ?? {}, run.conf ?? {}));
  } catch (error) {
    dialog.replaceChildren(h("p", { role: "alert" }, error.message), button("Close", () => dialog.close()));
  }
}

function valuesOf(video, params, conf) {
  const values = {};
  for (const [name, param] of Object.entries(params)) values[name] = param && typeof param === "object" && "value" in param ? param.value : param;
  Object.assign(values, conf);
  for (const name of OF_RECORD) {
    if (name in values && video.record?.[name] !== undefined) values[name] = video.record[name];
  }
  return values;
}

function form(dialog, video, context, values) {
  const names = Object.keys(values);
  const fields = names.map((name) => {
    const isText = typeof values[name] === "string";
    const text = isText ? values[name] : JSON.stringify(values[name]);
    return h("textarea", { name, rows: text && text.length > 60 ? 4 : 1, value: text ?? "null", "data-text": isText });
  });
  const error = h("p", { role: "alert", class: "sfg-alert" });
  const trigger = async (event) => {
    event.preventDefault();
    error.textContent = "";
    try {
      const conf = Object.fromEntries(fields.map((field) => [field.name, read(field)]));
      const run = await call(`api/v2${pages.dag(video)}/dagRuns`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify({ logical_date: null, conf }),
      });
      dialog.close();
      document.querySelector("dialog.sfg-viewer")?.close();
      context.navigateTo(pages.run({ dag_id: video.dag_id, run_id: run.dag_run_id }));
    } catch (problem) {
      error.textContent = problem.message;
    }
  };
  const each = video.record ? cost({ ...video.record, billing: "archived" }) : "the price of a video";
  dialog.replaceChildren(h("form", { onsubmit: trigger },
    h("h2", {}, `Run ${video.dag_id} again`),
    names.length ? null : h("p", {}, "This DAG has no params: a new run makes what its file says."),
    names.map((name, index) => h("label", {}, h("span", {}, name), fields[index])),
    h("p", {}, `A new run submits its videos and pays for them (${each} for each).`), error,
    h("div", { class: "sfg-actions" }, h("button", { type: "submit", class: "sfg-button sfg-primary" }, "Trigger"), button("Cancel", () => dialog.close()))));
}

function read(field) {
  if ("text" in field.dataset) return field.value;
  try {
    return JSON.parse(field.value);
  } catch {
    throw new Error(`${field.name} is not JSON.`);
  }
}
