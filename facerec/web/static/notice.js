import { call, element, find } from "./api.js";

// Says what was done or went wrong. Of a correction (`what`) it has a button that undoes it; `after(text)` then shows
// how things are now. `links` are pairs of address and text.
export function say(text, { what = text, changes = [], links = [], after = finish } = {}) {
  const parts = links.map(([href, label]) => element("a", { class: "button second", href }, label));
  if (changes.length) parts.push(element("button", { class: "second", type: "button", onclick: (event) => undo(event.target) }, "Undo"));
  find("status").textContent = text;
  find("notice-actions").replaceChildren(...parts);

  async function undo(button) {
    button.disabled = true;
    try {
      for (const change of changes) await call("POST", `changes/${change}/undo`);
      await after(`Undone: “${what}”`);
    } catch (error) {
      say(error.message);
    }
  }
}

// Loads a page that shows how things are now, and says there what was done.
export function finish(text, { to = location.pathname, ...rest } = {}) {
  sessionStorage.setItem("notice", JSON.stringify({ text, ...rest }));
  if (to === location.pathname) location.reload();
  else location.assign(to);
}

const kept = sessionStorage.getItem("notice");
if (kept) {
  sessionStorage.removeItem("notice");
  const { text, ...rest } = JSON.parse(kept);
  say(text, rest);
  find("notice").focus();
}
