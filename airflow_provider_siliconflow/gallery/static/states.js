// What the state of a video means, in words.

import { seconds } from "./dom.js";

const WAITING = ["submitted", "ready"];
const NAMES = {
  submitted: "Waiting",
  ready: "Ready, not archived yet",
  archived: "Archived",
  rejected: "Rejected",
  not_submitted: "Not submitted",
  failed: "Failed",
  unknown: "Outcome unknown",
  running: "Paid for with another connection",
  timed_out: "Not ready in time",
  not_archived: "Not archived",
};

/** "archived", "waiting", "failed", or "broken" for a record that cannot be read. */
export function kindOf(video) {
  const state = video.record?.state;
  if (!state) return "broken";
  if (state === "archived") return "archived";
  return WAITING.includes(state) && isRunning(video) ? "waiting" : "failed";
}

function isRunning(video) {
  return !["success", "failed"].includes(video.run_state);
}

export function nameOf(video) {
  const state = video.record?.state;
  if (!state) return "Unreadable record";
  return WAITING.includes(state) && !isRunning(video) ? "Not archived" : NAMES[state] ?? state;
}

/** Why there is no video. */
export function reasonOf(video) {
  const { record } = video;
  if (!record) return "What the task tells of this video cannot be read. Its XComs in Airflow show what is there.";
  if (record.reason) return record.reason;
  if (WAITING.includes(record.state)) {
    return `Its run has ended (${video.run_state}) and nothing archived the video ${record.request_id ?? ""}.`;
  }
  return "The task gave no reason.";
}

/** How a wait goes: a sentence, and how much of it is over, from 0 to 1, where past videos tell. */
export function progressOf(video, typical, now) {
  const { record } = video;
  const since = (now - Date.parse(record.submitted_at)) / 1000;
  if (record.state === "ready") return { text: "Ready, archiving", part: 1 };
  const waited = Number.isFinite(since) ? `for ${seconds(Math.max(0, since))}` : "";
  const queued = record.position !== undefined ? `, position ${record.position} when last polled` : "";
  const word = /queue/i.test(record.service_state ?? "") ? `In the queue ${waited}${queued}` : `Waiting ${waited}`;
  if (!typical || !Number.isFinite(since)) return { text: word.trim(), part: null };
  const left = typical - since;
  const end = new Date(now + left * 1000).toLocaleTimeString([], { timeStyle: "short" });
  const expected = left > 0 ? `expected about ${end} (${seconds(left)})` : `usually takes ${seconds(typical)}`;
  return { text: `${word.trim()}; ${expected}`, part: Math.min(0.97, since / typical) };
}
