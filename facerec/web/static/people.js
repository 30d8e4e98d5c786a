import { call, element, enrol, find } from "./api.js";

let doing = null;
const counted = (count) => `${count} ${count === 1 ? "sample" : "samples"}`;

// What was done is said again after the page is new.
const told = sessionStorage.getItem("told");
if (told) {
  find("status").textContent = told;
  sessionStorage.removeItem("told");
}
function finish(text) {
  sessionStorage.setItem("told", text);
  location.reload();
}

find("add")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  find("status").textContent = "Enrolling …";
  try {
    const done = await enrol(new FormData(event.target));
    const refused = done.photos.filter((one) => one.problem).map((one) => `${one.photo} was not taken: ${one.problem}.`);
    const alike = done.photos.filter((one) => one.looks_like).map((one) => `${one.photo} looks like ${one.looks_like}.`);
    finish([`${done.person.name} is enrolled with ${counted(done.new)} more.`, ...refused, ...alike].join(" "));
  } catch (error) {
    find("status").textContent = error.message;
    button.disabled = false;
  }
});

function ask(title, action, { text = [], rename = null, into = null, danger = false }, work) {
  find("asking-title").textContent = title;
  find("asking-text").replaceChildren(...text);
  find("asking-name-part").hidden = rename === null;
  find("asking-into-part").hidden = into === null;
  find("asking-name").value = rename || "";
  find("asking-name").required = rename !== null;
  for (const option of find("asking-into").options) option.hidden = option.disabled = option.value === into;
  find("asking-into").value = [...find("asking-into").options].find((one) => !one.disabled)?.value || "";
  find("asking-do").textContent = action;
  find("asking-do").className = danger ? "danger" : "";
  find("asking-error").textContent = "";
  doing = work;
  find("asking").showModal();
}
find("asking-cancel").addEventListener("click", () => find("asking").close());
find("asking-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  find("asking-do").disabled = true;
  try {
    await doing();
  } catch (error) {
    find("asking-error").textContent = error.message;
    find("asking-do").disabled = false;
  }
});

for (const card of document.querySelectorAll(".person")) {
  const { id, name, samples } = card.dataset;
  card.querySelector(".rename")?.addEventListener("click", () =>
    ask(`Rename ${name}`, "Rename", { rename: name }, async () => {
      const person = await call("PATCH", `persons/${id}`, { name: find("asking-name").value });
      finish(`${name} is called ${person.name} now.`);
    }));
  card.querySelector(".merge")?.addEventListener("click", () =>
    ask(`Merge ${name}`, "Merge", { into: id, text: [element("p", {}, `All ${counted(Number(samples))} of ${name} go to another person, and the name ${name} is forgotten. This can't be undone.`)] }, async () => {
      const person = await call("POST", `persons/${id}/merge`, { into: find("asking-into").value });
      finish(`${name} is ${person.name} now, with ${counted(person.samples)}.`);
    }));
  card.querySelector(".erase")?.addEventListener("click", () =>
    ask(`Erase ${name}?`, "Erase for good", { danger: true, text: [
      element("p", {}, "This removes:"),
      element("ul", {}, element("li", {}, `the name ${name} and the note`), element("li", {}, `${counted(Number(samples))}: vectors, file names, places in the photos, and kept pictures of the face if there are any`), element("li", {}, "their traces in the files of the database and its log of changes")),
      element("p", {}, "It can't be undone. Exports, backups and replicas made elsewhere are not reached. The audit log keeps that somebody was erased, without the name."),
    ] }, async () => {
      const erased = await call("DELETE", `persons/${id}`);
      finish(`${name} is erased, with ${counted(erased.samples)}.${erased.log_deleted ? "" : " The database server reuses its log of changes, so traces stay there until it is written over."}`);
    }));
}
