import { call, element, enrol, find } from "./api.js";

let confirmed = null; // what the dialog does when it is confirmed
const samplesText = (count, kind = "") => `${count} ${kind}${count === 1 ? "sample" : "samples"}`;

// The page is reloaded after a change; the message is shown once it is back.
const message = sessionStorage.getItem("message");
if (message) {
  find("status").textContent = message;
  sessionStorage.removeItem("message");
}
function finish(text) {
  sessionStorage.setItem("message", text);
  location.reload();
}

find("add")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  find("status").textContent = "Enrolling …";
  try {
    const enrolled = await enrol(new FormData(event.target));
    const refused = enrolled.photos.filter((photo) => photo.problem).map((photo) => `${photo.photo} was not used: ${photo.problem}.`);
    const alike = enrolled.photos.filter((photo) => photo.looks_like).map((photo) => `${photo.photo} also looks like ${photo.looks_like}.`);
    const weak = enrolled.photos.filter((photo) => photo.weak && !photo.problem).map((photo) => `${photo.photo} is weak: ${photo.weak}.`);
    finish([`${enrolled.person.name} is enrolled with ${samplesText(enrolled.new, "new ")}.`, ...refused, ...alike, ...weak].join(" "));
  } catch (error) {
    find("status").textContent = error.message;
    button.disabled = false;
  }
});

function ask(title, action, { text = [], rename = null, into = null, danger = false }, work) {
  find("dialog-title").textContent = title;
  find("dialog-text").replaceChildren(...text);
  find("dialog-name-part").hidden = rename === null;
  find("dialog-into-part").hidden = into === null;
  find("dialog-name").value = rename || "";
  find("dialog-name").required = rename !== null;
  for (const option of find("dialog-into").options) option.hidden = option.disabled = option.value === into;
  find("dialog-into").value = [...find("dialog-into").options].find((option) => !option.disabled)?.value || "";
  find("dialog-action").textContent = action;
  find("dialog-action").className = danger ? "danger" : "";
  find("dialog-error").textContent = "";
  confirmed = work;
  find("dialog").showModal();
}
find("dialog-cancel").addEventListener("click", () => find("dialog").close());
find("dialog-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  find("dialog-action").disabled = true;
  try {
    await confirmed();
  } catch (error) {
    find("dialog-error").textContent = error.message;
    find("dialog-action").disabled = false;
  }
});

for (const card of document.querySelectorAll(".person")) {
  const { id, name, samples } = card.dataset;
  card.querySelector(".rename")?.addEventListener("click", () =>
    ask(`Rename ${name}`, "Rename", { rename: name }, async () => {
      const person = await call("PATCH", `persons/${id}`, { name: find("dialog-name").value });
      finish(`${name} is now called ${person.name}.`);
    }));
  card.querySelector(".merge")?.addEventListener("click", () =>
    ask(`Merge ${name}`, "Merge", { into: id, text: [element("p", {}, `All ${samplesText(Number(samples))} of ${name} move to the other person, and ${name} is deleted. This can't be undone.`)] }, async () => {
      const person = await call("POST", `persons/${id}/merge`, { into: find("dialog-into").value });
      finish(`${name} was merged into ${person.name}, who now has ${samplesText(person.samples)}.`);
    }));
  card.querySelector(".erase")?.addEventListener("click", () =>
    ask(`Erase ${name}?`, "Erase permanently", { danger: true, text: [
      element("p", {}, "This removes:"),
      element("ul", {}, element("li", {}, `the name ${name} and the note`), element("li", {}, `${samplesText(Number(samples))}: embeddings, file names, positions in the photos, and stored face crops`), element("li", {}, "traces of all this in the database's files and write-ahead log")),
      element("p", {}, "This can't be undone. It does not reach exports, backups or replicas kept elsewhere. The audit log records that somebody was erased, without the name."),
    ] }, async () => {
      const erased = await call("DELETE", `persons/${id}`);
      finish(`${name} was erased, with ${samplesText(erased.samples)}.${erased.log_deleted ? "" : " Traces remain in the database server's write-ahead log until it is overwritten."}`);
    }));
}
