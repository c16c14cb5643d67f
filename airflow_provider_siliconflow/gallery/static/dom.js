// Small helpers: elements without any framework, calls of our routes, and facts in words.

/** The path under which Airflow is served, with its last slash. */
export const ROOT = new URL("..", import.meta.url).pathname;

/**
 * Make an element. Children are nodes or texts, never HTML, so that no prompt can become markup.
 * Properties whose name begins with "on" are listeners; null and false leave one out.
 */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element && name !== "list" && name !== "style") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** What went wrong, in words for the person who looks at the page. */
export class PageError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Call a route of Airflow and return its JSON. */
export async function call(path, options = {}) {
  let answer;
  try {
    answer = await fetch(ROOT + path, { credentials: "same-origin", headers: { Accept: "application/json" }, ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new PageError("Airflow does not answer. Is the API server running?", 0);
  }
  if (answer.ok) return answer.json();
  let detail = "";
  try {
    detail = (await answer.json()).detail;
  } catch {
    // An answer without JSON has nothing more to tell.
  }
  throw new PageError(explain(answer.status, typeof detail === "string" ? detail : ""), answer.status);
}

function explain(status, detail) {
  if (status === 401) return "Your login has expired. Reload the page to log in again.";
  if (status === 403) return "You may not see this: it takes the right to read a DAG and its XComs.";
  return detail || `Airflow answered with the error ${status}.`;
}

const SEGMENTS = ["dag_id", "run_id", "task_id", "map_index"];

/** The address of a file of a video: "file" or "poster". */
export function fileUrl(kind, video) {
  const item = video.item === null ? [] : [video.item];
  const path = [...SEGMENTS.map((name) => video[name]), ...item].map(encodeURIComponent).join("/");
  // The hash keeps a browser from showing what another video left at this address.
  const version = video.record?.sha256 ? `?v=${video.record.sha256.slice(0, 16)}` : "";
  return `${ROOT}siliconflow/${kind}/${path}${version}`;
}

/** Paths of Airflow's own pages, for its router. */
export const pages = {
  dag: (video) => `/dags/${encodeURIComponent(video.dag_id)}`,
  run: (video) => `${pages.dag(video)}/runs/${encodeURIComponent(video.run_id)}`,
  task: (video) =>
    `${pages.run(video)}/tasks/${encodeURIComponent(video.task_id)}` +
    (video.map_index >= 0 ? `/mapped/${video.map_index}` : ""),
};

/** A link that Airflow's router follows without a reload, and that opens in a new tab as any other. */
export function link(context, path, ...children) {
  const follow = (event) => {
    if (!context.navigate || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    context.navigate(path);
  };
  return h("a", { class: "sfg-link", href: ROOT + path.slice(1), onclick: follow }, ...children);
}

export function button(label, onclick, properties = {}) {
  return h("button", { type: "button", class: "sfg-button", onclick, ...properties }, label);
}

/** A button that copies a text, and says so for a moment. */
export function copyButton(what, text) {
  const element = button("Copy", async () => {
    const done = await copy(String(text));
    element.textContent = done ? "Copied" : "Not copied";
    setTimeout(() => (element.textContent = "Copy"), 1500);
  }, { class: "sfg-button sfg-small", "aria-label": `Copy ${what}` });
  return element;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Browsers have a clipboard on https and localhost only.
    const area = h("textarea", { value: text, class: "sfg-offscreen" });
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

export function seconds(value) {
  if (value === null || value === undefined) return "";
  if (value < 90) return `${Math.round(value)} s`;
  return value < 5400 ? `${Math.round(value / 60)} min` : `${(value / 3600).toFixed(1)} h`;
}

export function when(iso) {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? "" : at.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

export function size(bytes) {
  if (!bytes) return "";
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export function money(amount, currency) {
  return `${amount.toFixed(2)}${currency ? ` ${currency}` : ""}`;
}

/** What a video cost, as far as a table of prices tells. */
export function cost(record) {
  if (["not_submitted", "rejected"].includes(record.billing)) return "nothing";
  const amount = typeof record.estimated_cost === "number" ? `${money(record.estimated_cost, record.currency)} (estimated)` : "the price of a video";
  return ["failed", "unknown"].includes(record.billing) ? `perhaps ${amount}` : amount;
}
