// One video large, with all that is known of it; and two videos side by side, in step.

import { button, call, copyButton, cost, fileUrl, h, link, pages, ROOT, seconds, size, when } from "./dom.js";
import { makeAgain } from "./again.js";
import { kindOf, nameOf, reasonOf } from "./states.js";

function openDialog(label, className, onclose) {
  const dialog = h("dialog", { class: `sfg-dialog ${className}`, "aria-label": label });
  dialog.addEventListener("close", () => {
    for (const video of dialog.querySelectorAll("video")) {
      video.pause();
      video.removeAttribute("src");
      video.load();
    }
    dialog.remove();
    onclose?.();
  });
  return dialog;
}

/** Show a video; context.neighbour(video, step) returns the next one, context.before(video) the one made before it. */
export function openViewer(root, video, context) {
  const opener = document.activeElement;
  const dialog = openDialog("Video", "sfg-viewer", () => opener?.focus?.());
  let loop = true;
  const show = (shown) => {
    video = shown;
    const player = playerOf(shown, loop);
    dialog.replaceChildren(
      h("div", { class: "sfg-stage" }, player),
      h("div", { class: "sfg-facts" }, actions(player), ...facts(shown, context)),
    );
    dialog.setAttribute("aria-label", `${nameOf(shown)}: ${shown.record?.prompt ?? ""}`);
  };
  const step = (by) => {
    const next = context.neighbour(video, by);
    if (next) show(next);
  };
  const actions = (player) => h("div", { class: "sfg-actions" },
    button("←", () => step(-1), { "aria-label": "Newer video", title: "Newer (←)", disabled: !context.neighbour(video, -1) }),
    button("→", () => step(1), { "aria-label": "Older video", title: "Older (→)", disabled: !context.neighbour(video, 1) }),
    ...(kindOf(video) === "archived" ? playerActions(player) : []),
    button("Close", () => dialog.close(), { class: "sfg-button sfg-close", title: "Close (Esc)" }));
  const playerActions = (player) => [
    h("label", { class: "sfg-check" },
      h("input", { type: "checkbox", checked: loop, onchange: (event) => { loop = player.loop = event.target.checked; } }), "Loop"),
    button("Full", () => player.requestFullscreen?.(), { "aria-label": "Full screen", title: "Full screen (F)" }),
    h("a", { class: "sfg-button", href: fileUrl("file", video), download: fileName(video) }, "Download"),
  ];
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const player = dialog.querySelector("video");
    const isControl = /^(BUTTON|A|INPUT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "ArrowRight") step(1);
    else if (event.key === " " && !isControl && player) player.paused ? player.play() : player.pause();
    else if (event.key.toLowerCase() === "f" && player) player.requestFullscreen?.();
    else return;
    event.preventDefault();
    if (!dialog.contains(document.activeElement)) dialog.focus();
  });
  dialog.tabIndex = -1;
  show(video);
  root.append(dialog);
  dialog.showModal();
  dialog.focus();
}

function playerOf(video, loop) {
  if (kindOf(video) !== "archived") {
    return h("div", { class: "sfg-note sfg-large" }, h("span", { class: "sfg-badge" }, nameOf(video)), h("p", {}, kindOf(video) === "waiting" ? "The video is not ready yet." : reasonOf(video)));
  }
  const player = h("video", {
    controls: true, autoplay: true, muted: true, loop, playsInline: true, src: fileUrl("file", video), tabIndex: 0,
    poster: video.record.poster ? fileUrl("poster", video) : null, "aria-label": video.record.prompt ?? "Video",
  });
  player.addEventListener("error", async () => {
    if (!player.getAttribute("src")) return;
    let why = "This browser cannot play the file.";
    try {
      await call(fileUrl("file", video).slice(ROOT.length), { headers: { Range: "bytes=0-0" } });
    } catch (error) {
      if (error.status) why = error.message;
    }
    player.replaceWith(h("div", { class: "sfg-note sfg-large", role: "status" }, h("p", {}, why)));
  });
  return player;
}

function fileName(video) {
  return (video.record.path ?? "video.mp4").split("/").pop();
}

function facts(video, context) {
  const record = video.record ?? {};
  const row = (name, value, copied) =>
    value === undefined || value === null || value === "" ? [] : [
      h("dt", {}, name), h("dd", {}, h("span", {}, String(value)), copied ? copyButton(name.toLowerCase(), value) : null)];
  const frame = record.width && record.height ? `${record.width}×${record.height}` : record.image_size;
  return [
    h("p", { class: "sfg-lead" }, record.prompt ?? nameOf(video)),
    record.prompt ? copyButton("prompt", record.prompt) : null,
    changes(video, context.before(video)),
    h("dl", {},
      row("State", nameOf(video)), row("Reason", kindOf(video) === "failed" ? reasonOf(video) : record.reason),
      row("Negative prompt", record.negative_prompt, true), row("Model", record.model), row("Seed", record.seed ?? record.seed_asked, true),
      row("Image", record.image, true), row("Size", [frame, record.duration ? seconds(record.duration) : "", size(record.bytes)].filter(Boolean).join(", ")),
      row("Cost", video.record ? cost(record) : ""), row("Submitted", when(record.submitted_at)), row("Archived", when(record.archived_at)),
      row("Waited", seconds(record.waited_seconds)), row("Made in", seconds(record.inference_seconds)),
      row("Request id", record.request_id, true), row("Labelled", record.labelled), row("File", record.path, true), row("SHA-256", record.sha256, true)),
    h("p", { class: "sfg-links" }, link(context, pages.task(video), "Task"), link(context, pages.run(video), "Run"), link(context, pages.dag(video), "DAG"),
      button("Make it again…", (event) => makeAgain(event.target.closest("dialog").parentElement, video, context))),
  ];
}

function changes(video, before, label = "Changed from the one before") {
  if (!before?.record || !video.record) return null;
  const names = { prompt: "prompt", negative_prompt: "negative prompt", model: "model", seed: "seed", image_size: "size" };
  const changed = Object.keys(names).filter((name) => (before.record[name] ?? null) !== (video.record[name] ?? null));
  const told = changed.map((name) => (name === "prompt" ? "prompt" : `${names[name]} ${before.record[name] ?? "none"} → ${video.record[name] ?? "none"}`));
  return told.length ? h("p", { class: "sfg-changes" }, `${label}: ${told.join(", ")}.`) : null;
}

/** Show two videos side by side; what is done to one is done to both. */
export function openComparison(root, pair, context) {
  const dialog = openDialog("Two videos side by side", "sfg-comparison", context.onclose);
  const players = pair.map((video) => h("video", { muted: true, loop: true, playsInline: true, preload: "auto", src: fileUrl("file", video), "aria-label": video.record.prompt ?? "Video" }));
  const [first, second] = players;
  const seek = h("input", { type: "range", min: 0, max: 1000, value: 0, "aria-label": "Position", oninput: () => {
    for (const player of players) if (player.duration) player.currentTime = (seek.value / 1000) * player.duration;
  } });
  const toggle = button("Pause", () => (first.paused ? play() : pause()));
  const play = () => { players.forEach((player) => player.play().catch(() => {})); toggle.textContent = "Pause"; };
  const pause = () => { players.forEach((player) => player.pause()); toggle.textContent = "Play"; };
  first.addEventListener("timeupdate", () => {
    if (document.activeElement !== seek && first.duration) seek.value = (first.currentTime / first.duration) * 1000;
    if (second.duration && Math.abs(second.currentTime - first.currentTime) > 0.15) second.currentTime = Math.min(first.currentTime, second.duration);
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== " " || /^(BUTTON|INPUT)$/.test(event.target.tagName)) return;
    event.preventDefault();
    toggle.click();
  });
  dialog.append(
    h("div", { class: "sfg-pair" }, pair.map((video, index) => h("figure", {}, players[index], h("figcaption", {}, video.record.prompt ?? "", h("small", {}, ` seed ${video.record.seed ?? "?"}, ${video.record.model ?? ""}`))))),
    changes(pair[0], pair[1], "Right to left differs") ?? "",
    h("div", { class: "sfg-actions" }, toggle, seek, button("Close", () => dialog.close(), { class: "sfg-button sfg-close" })));
  root.append(dialog);
  dialog.showModal();
  play();
}
