// One video in the grid.

import { button, call, cost, fileUrl, h, link, pages, seconds, when } from "./dom.js";
import { kindOf, nameOf, progressOf, reasonOf } from "./states.js";

const HOVER_MS = 450;

/** Make the tile of a video; context.open shows it large, context.compare marks it. */
export function makeTile(video, context) {
  const kind = kindOf(video);
  const made = { archived: playable, waiting, failed, broken: failed }[kind](video, context);
  const prompt = video.record?.prompt || video.record?.request_id || nameOf(video);
  const element = h(
    "article",
    { class: `sfg-tile sfg-${kind}`, "aria-label": `${nameOf(video)}: ${prompt}` },
    made.media,
    h("div", { class: "sfg-caption" },
      h("button", { type: "button", class: "sfg-prompt", title: prompt, onclick: () => context.open(video) }, h("span", {}, prompt)),
      h("div", { class: "sfg-meta" },
        link(context, pages.task(video), video.dag_id),
        h("time", { dateTime: video.at, title: video.at }, when(video.at)))),
  );
  return { element, tick: made.tick ?? (() => {}), stop: made.stop ?? (() => {}) };
}

function badge(text) {
  return h("span", { class: "sfg-badge" }, text);
}

function waiting(video, context) {
  const text = h("p", {});
  const bar = h("progress", { max: 1, "aria-label": "Expected progress" });
  const tick = (now) => {
    const { text: words, part } = progressOf(video, context.typical(video.record.model), now);
    if (text.textContent !== words) text.textContent = words;
    bar.hidden = part === null;
    bar.value = part ?? 0;
  };
  tick(Date.now());
  return { media: h("div", { class: "sfg-media sfg-note" }, badge(nameOf(video)), text, bar), tick };
}

function failed(video) {
  const paid = video.record ? h("p", { class: "sfg-cost" }, `Cost: ${cost(video.record)}`) : null;
  const reason = h("p", { class: "sfg-reason", title: reasonOf(video) }, reasonOf(video));
  return { media: h("div", { class: "sfg-media sfg-note" }, badge(nameOf(video)), reason, paid) };
}

function playable(video, context) {
  const { record } = video;
  const box = h("div", { class: "sfg-media" });
  const player = inlinePlayer(video, box);
  const open = h("button", {
    type: "button",
    class: "sfg-open",
    "aria-label": `Show large: ${record.prompt ?? record.request_id}`,
    onclick: () => { player.stop(); context.open(video); },
  });
  const play = button("▶", player.toggle, { class: "sfg-button sfg-play", "aria-label": "Play here" });
  player.onchange = (isPlaying) => {
    play.textContent = isPlaying ? "❚❚" : "▶";
    play.setAttribute("aria-label", isPlaying ? "Pause" : "Play here");
  };
  const mark = h("label", { class: "sfg-mark" },
    h("input", { type: "checkbox", checked: context.isMarked(video), onchange: (event) => context.mark(video, event.target) }),
    h("span", {}, "Compare"));
  box.append(still(video, box), open, play, mark);
  if (record.duration) box.append(h("span", { class: "sfg-length" }, seconds(record.duration)));
  if (record.labelled) box.append(h("span", { class: "sfg-labelled", title: record.labelled }, "labelled"));
  box.addEventListener("mouseenter", player.hover);
  box.addEventListener("mouseleave", player.leave);
  return { media: box, stop: player.stop };
}

/** The image of a tile: its poster; else the first frame of the video, once the tile is in view. */
function still(video, box) {
  if (video.record.poster) {
    return h("img", {
      class: "sfg-still", loading: "lazy", decoding: "async", alt: "", src: fileUrl("poster", video),
      onerror: (event) => event.target.replaceWith(firstFrame(video, box)),
    });
  }
  return firstFrame(video, box);
}

function firstFrame(video, box) {
  const frame = h("video", { class: "sfg-still", muted: true, preload: "none", tabIndex: -1, "aria-hidden": "true" });
  frame.addEventListener("error", () => tellWhy(video, box));
  const observer = new IntersectionObserver(([entry]) => {
    if (!entry.isIntersecting) return;
    observer.disconnect();
    frame.preload = "metadata";
    frame.src = `${fileUrl("file", video)}#t=0.1`;
  }, { rootMargin: "200px" });
  observer.observe(box);
  return frame;
}

/** Ask the server why a video cannot be played, and say so on its tile. */
async function tellWhy(video, box) {
  if (box.querySelector(".sfg-why")) return;
  let why = "This browser cannot play the file.";
  try {
    await call(fileUrl("file", video).slice(new URL("..", import.meta.url).pathname.length), { headers: { Range: "bytes=0-0" } });
  } catch (error) {
    if (error.status) why = error.message;
  }
  box.append(h("p", { class: "sfg-why", role: "status" }, why));
  box.classList.add("sfg-unavailable");
}

function inlinePlayer(video, box) {
  let element = null;
  let timer = 0;
  const player = {
    onchange: () => {},
    stop() {
      clearTimeout(timer);
      if (!element) return;
      // Without its source, so that the browser loads no more of it.
      element.pause();
      element.removeAttribute("src");
      element.load();
      element.remove();
      element = null;
      player.onchange(false);
    },
    toggle() {
      clearTimeout(timer);
      if (element && !element.dataset.hover) return player.stop();
      start(false);
    },
    hover() {
      timer = setTimeout(() => element ?? start(true), HOVER_MS);
    },
    leave() {
      clearTimeout(timer);
      if (element?.dataset.hover) player.stop();
    },
  };
  function start(isHover) {
    if (!element) {
      element = h("video", { class: "sfg-inline", muted: true, loop: true, playsInline: true, src: fileUrl("file", video), tabIndex: -1 });
      element.addEventListener("error", () => {
        if (!element?.src) return;
        player.stop();
        tellWhy(video, box);
      });
      box.prepend(element);
    }
    if (isHover) element.dataset.hover = "1";
    else delete element.dataset.hover;
    element.play().catch(() => {});
    player.onchange(true);
  }
  return player;
}
