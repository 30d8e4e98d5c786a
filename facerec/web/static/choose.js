import { element } from "./api.js";

// Asks a question; gives the value of the chosen answer, or null. `answers` are pairs of value and content.
export function choose(title, text, answers) {
  return new Promise((resolve) => {
    let chosen = null;
    const close = (value) => () => {
      chosen = value;
      dialog.close();
    };
    const buttons = answers.map(([value, ...content]) => element("button", { type: "button", class: "second answer", onclick: close(value) }, ...content));
    const dialog = element("dialog", { "aria-labelledby": "choose-title", "aria-describedby": "choose-text", onclose: () => { dialog.remove(); resolve(chosen); } },
      element("h2", { id: "choose-title" }, title), element("p", { id: "choose-text" }, text),
      element("div", { class: "answers" }, ...buttons),
      element("div", { class: "row end" }, element("button", { type: "button", class: "second", onclick: close(null) }, "Cancel")));
    document.body.append(dialog);
    dialog.showModal();
  });
}
