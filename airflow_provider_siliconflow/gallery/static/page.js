// The page: a grid of videos with filters, that keeps itself up to date. Framework-free: mount() needs an element.

import { button, call, h, ROOT } from "./dom.js";
import { makeFilters, NAMES } from "./filters.js";
import { makeTotals, typicalWaits } from "./totals.js";
import { kindOf } from "./states.js";
import { makeTile } from "./tile.js";
import { openComparison, openViewer } from "./viewer.js";

const PAGE = 50;
const REFRESH_MS = { waiting: 4000, quiet: 15000 };

/**
 * Show the gallery in an element.
 *
 * options.fixed: filters that the place sets (dag, run, task, map_index); options.search: filters of the address;
 * options.onsearch(params): keeps them there; options.navigate(path): follows a link without a reload, or null.
 */
export function mount(root, options) {
  loadStyle();
  return new Gallery(root, options);
}

function loadStyle() {
  const href = `${ROOT}siliconflow-static/gallery.css`;
  if ([...document.styleSheets].some((sheet) => sheet.href?.endsWith(href)) || document.querySelector(`link[href="${href}"]`)) return;
  document.head.append(h("link", { rel: "stylesheet", href }));
}

/** Tasks of one video tell of it one after the other: the same request of the same run is the same tile. */
function keyOf(video) {
  const id = video.record?.request_id ?? `${video.task_id}/${video.map_index}/${video.item}`;
  return `${video.dag_id}/${video.run_id}/${id}`;
}

class Gallery {
  constructor(root, options) {
    this.root = root;
    this.fixed = Object.fromEntries(Object.entries(options.fixed).filter(([, value]) => value !== undefined && value !== null && value !== ""));
    this.onsearch = options.onsearch;
    this.tiles = new Map();
    this.marked = [];
    this.waits = new Map();
    this.aborter = new AbortController();
    this.context = {
      navigate: options.navigate,
      navigateTo: options.navigate ?? ((path) => location.assign(ROOT + path.slice(1))),
      open: (video) => openViewer(this.root, this.current(video), this.context),
      typical: (model) => this.waits.get(model) ?? this.waits.get(undefined),
      isMarked: (video) => this.marked.includes(keyOf(video)),
      mark: (video, box) => this.mark(video, box),
      neighbour: (video, by) => this.neighbour(video, by),
      before: (video) => this.videos().slice(this.indexOf(video) + 1).find((other) => other.dag_id === video.dag_id),
      onclose: () => this.clearMarks(),
    };
    this.build();
    this.filters.set(options.search);
    this.reload();
    this.ticker = setInterval(() => this.tick(), 1000);
    this.onvisible = () => document.hidden || this.refresh();
    document.addEventListener("visibilitychange", this.onvisible);
  }

  build() {
    this.filters = makeFilters(this.fixed, () => { this.onsearch(this.filters.params()); this.reload(); });
    this.totals = makeTotals(() => this.loadTotals());
    this.status = h("p", { class: "sfg-status", role: "status" });
    this.grid = h("div", { class: "sfg-grid" });
    this.more = button("Show more", () => this.loadMore(), { class: "sfg-button sfg-more", hidden: true });
    this.pair = h("div", { class: "sfg-pairbar", hidden: true }, h("span", {}, "Choose one more to compare"),
      button("Compare", () => this.compare(), { class: "sfg-button sfg-primary", disabled: true }), button("Clear", () => this.clearMarks()));
    this.root.replaceChildren(h("section", { class: "sfg", "aria-label": "Videos" },
      h("header", { class: "sfg-head" }, this.fixed.dag ? null : h("h2", {}, "Videos"), this.filters.element), this.totals.element, this.status, this.grid, this.more, this.pair));
    this.observer = new IntersectionObserver(([entry]) => entry.isIntersecting && this.cursor && this.loadMore(), { rootMargin: "600px" });
    this.observer.observe(this.more);
  }

  destroy() {
    this.aborter.abort();
    clearTimeout(this.timer);
    clearInterval(this.ticker);
    this.observer.disconnect();
    document.removeEventListener("visibilitychange", this.onvisible);
    this.stopAll();
    this.root.replaceChildren();
  }

  /** Take over filters that the address has now, such as after "back". */
  setSearch(search) {
    const before = this.filters.params().toString();
    this.filters.set(search);
    if (this.filters.params().toString() !== before) this.reload();
  }

  query(more = {}) {
    return new URLSearchParams({ ...Object.fromEntries(this.filters.params()), ...this.fixed, ...more });
  }

  async reload() {
    this.aborter.abort();
    this.aborter = new AbortController();
    clearTimeout(this.timer);
    this.stopAll();
    this.tiles.clear();
    this.clearMarks();
    this.cursor = null;
    this.more.hidden = true;
    this.grid.replaceChildren(...Array.from({ length: 8 }, () => h("div", { class: "sfg-tile sfg-skeleton", "aria-hidden": "true" })));
    this.say("Loading videos…");
    if (await this.load()) this.loadTotals();
    this.plan();
  }

  /** Load a page, the first one without a cursor; return whether that worked. */
  async load(cursor) {
    const { signal } = this.aborter;
    try {
      const answer = await call(`siliconflow/videos?${this.query({ limit: PAGE, ...(cursor ? { cursor } : {}) })}`, { signal });
      this.cursor = answer.next;
      this.merge(answer.videos);
      this.more.hidden = !this.cursor;
      this.tell();
      return true;
    } catch (error) {
      if (error.name !== "AbortError") this.fail(error);
      return false;
    }
  }

  async loadMore() {
    if (this.isLoading || !this.cursor) return;
    this.isLoading = true;
    await this.load(this.cursor);
    this.isLoading = false;
  }

  /** Ask for what is new, and for what became of those that wait. */
  async refresh() {
    clearTimeout(this.timer);
    const { signal } = this.aborter;
    try {
      const answer = await call(`siliconflow/videos?${this.query({ limit: PAGE })}`, { signal });
      const seen = new Set(answer.videos.map(keyOf));
      const stale = [...this.tiles.entries()].filter(([key, tile]) => kindOf(tile.video) === "waiting" && !seen.has(key));
      if (stale.length && answer.next) {
        const waiting = await call(`siliconflow/videos?${this.query({ limit: 100, state: "waiting" })}`, { signal });
        waiting.videos.forEach((video) => seen.add(keyOf(video)) && answer.videos.push(video));
      }
      for (const [key] of stale) if (!seen.has(key)) this.remove(key);
      if (!this.tiles.size) this.cursor = answer.next;
      this.merge(answer.videos);
      this.tell();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 401 || !this.tiles.size) this.fail(error);
      else this.say(`${error.message} Trying again.`);
    }
    this.plan();
  }

  plan() {
    clearTimeout(this.timer);
    if (this.aborter.signal.aborted) return;
    const isWaiting = this.videos().some((video) => kindOf(video) === "waiting");
    this.timer = setTimeout(() => (document.hidden ? this.plan() : this.refresh()), isWaiting ? REFRESH_MS.waiting : REFRESH_MS.quiet);
  }

  /** Show videos in the grid, newest first; a tile whose video is unchanged stays as it is, and plays on. */
  merge(videos) {
    for (const video of videos) {
      const key = keyOf(video);
      const json = JSON.stringify(video);
      const tile = this.tiles.get(key);
      if (tile?.json === json) continue;
      tile?.stop();
      const made = { ...makeTile(video, this.context), video, json };
      if (tile) tile.element.replaceWith(made.element);
      this.tiles.set(key, made);
    }
    for (const skeleton of this.grid.querySelectorAll(".sfg-skeleton, .sfg-message")) skeleton.remove();
    let place = this.grid.firstElementChild;
    for (const { element } of this.sorted()) {
      if (element === place) place = place.nextElementSibling;
      else this.grid.insertBefore(element, place);
    }
  }

  sorted() {
    return [...this.tiles.values()].sort((one, other) => (one.video.at < other.video.at ? 1 : one.video.at > other.video.at ? -1 : 0));
  }

  remove(key) {
    this.tiles.get(key)?.stop();
    this.tiles.get(key)?.element.remove();
    this.tiles.delete(key);
  }

  videos() {
    return this.sorted().map((tile) => tile.video);
  }

  current(video) {
    return this.tiles.get(keyOf(video))?.video ?? video;
  }

  indexOf(video) {
    const key = keyOf(video);
    return this.videos().findIndex((other) => keyOf(other) === key);
  }

  neighbour(video, by) {
    const index = this.indexOf(video);
    const found = index < 0 ? undefined : this.videos()[index + by];
    if (by > 0 && index >= this.tiles.size - 3) this.loadMore();
    return found;
  }

  mark(video, box) {
    const key = keyOf(video);
    if (!box.checked) this.marked = this.marked.filter((other) => other !== key);
    else if (this.marked.length < 2) this.marked.push(key);
    else box.checked = false;
    this.pair.hidden = !this.marked.length;
    this.pair.querySelector("span").textContent = this.marked.length === 2 ? "2 videos" : "Choose one more to compare";
    this.pair.querySelector("button").disabled = this.marked.length !== 2;
  }

  clearMarks() {
    this.marked = [];
    if (this.pair) this.pair.hidden = true;
    for (const box of this.grid.querySelectorAll(".sfg-mark input")) box.checked = false;
  }

  compare() {
    const pair = this.marked.map((key) => this.tiles.get(key)?.video).filter(Boolean);
    if (pair.length !== 2) return;
    this.stopAll();
    openComparison(this.root, pair, this.context);
  }

  stopAll() {
    for (const tile of this.tiles.values()) tile.stop();
  }

  tick() {
    const now = Date.now();
    for (const tile of this.tiles.values()) tile.tick(now);
  }

  async loadTotals() {
    try {
      const { sums } = await call(`siliconflow/sums?${this.query()}`, { signal: this.aborter.signal });
      this.waits = typicalWaits(sums);
      this.filters.offer(sums);
      this.totals.show(sums);
    } catch (error) {
      if (error.name !== "AbortError") this.totals.fail(error.message);
    }
  }

  say(text) {
    this.status.textContent = text;
  }

  tell() {
    const count = this.tiles.size;
    if (count) return this.say(`${count}${this.cursor ? " newest" : ""} ${count === 1 ? "video" : "videos"}`);
    this.say("");
    const isFiltered = NAMES.some((name) => this.filters.params().get(name));
    const empty = isFiltered ? ["No video matches these filters.", button("Show all", () => this.filters.clear())] : [this.nothing()];
    this.grid.replaceChildren(h("div", { class: "sfg-message" }, h("p", {}, empty[0]), empty[1] ?? null));
  }

  nothing() {
    if (this.fixed.task) return "This task makes no videos, or has not told of one yet.";
    if (this.fixed.dag) return "No task here has made a video yet.";
    return "No videos yet. They appear here as soon as a DAG with SubmitVideoOperator, GenerateVideoOperator or GenerateVideoBatchOperator runs.";
  }

  fail(error) {
    this.say("");
    this.grid.replaceChildren(h("div", { class: "sfg-message", role: "alert" }, h("p", {}, error.message), button("Try again", () => this.reload())));
  }
}
