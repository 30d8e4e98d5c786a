import { find } from "./api.js";

// A dialog with a form. `work(fields)` is done when it is confirmed, and what it throws is shown in the dialog.
export function formDialog(id, work) {
  const dialog = find(id);
  const form = dialog.querySelector("form");
  const error = dialog.querySelector(".error");
  dialog.querySelector(".cancel").addEventListener("click", () => dialog.close());
  const run = async (task) => {
    const buttons = [...form.querySelectorAll("button:not(.cancel)")];
    for (const button of buttons) button.disabled = true;
    error.textContent = "";
    try {
      await task();
    } catch (reason) {
      error.textContent = reason.message;
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(() => work(new FormData(form)));
  });
  const open = () => {
    error.textContent = "";
    dialog.showModal();
  };
  for (const button of document.querySelectorAll(`[data-opens="${id}"]`)) button.addEventListener("click", open);
  return { open, run, close: () => dialog.close() };
}
