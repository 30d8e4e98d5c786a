import { call } from "./api.js";

// Makes corrections one after the other; returns the last answer, and which changes undo them, newest first.
export async function correct(action, ...requests) {
  const earlier = new Set((await call("GET", "changes")).map((change) => change.id));
  let answer;
  for (const request of requests) answer = await call(...request);
  const later = (await call("GET", "changes")).filter((change) => change.action === action && !earlier.has(change.id));
  return { answer, changes: later.map((change) => change.id) };
}
