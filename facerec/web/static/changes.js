import { call } from "./api.js";
import "./dates.js";
import { finish, say } from "./notice.js";

for (const button of document.querySelectorAll("button.undo")) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await call("POST", `changes/${button.dataset.id}/undo`);
      finish(`Undone: “${button.dataset.text}.”`);
    } catch (error) {
      say(error.message);
      button.disabled = false;
    }
  });
}
