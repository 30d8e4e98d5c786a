import { call } from "./api.js";

// Makes corrections one after the other; returns the last answer, and which changes undo them, newest first.
export async function correct(...requests) {
  let answer;
  const changes = [];
  for (const request of requests) {
    answer = await call(...request);
    changes.unshift(...answer.changes);
  }
  return { answer, changes };
}
