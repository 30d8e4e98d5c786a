import { call, find, plural } from "./api.js";
import { correct } from "./corrections.js";
import { resolveName } from "./enrol.js";
import { finish, say } from "./notice.js";
import { address, forgetPersons, offerNames } from "./persons.js";

offerNames();

async function attempt(buttons, work) {
  for (const button of buttons) button.disabled = true;
  try {
    await work();
  } catch (error) {
    say(error.message);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

// Groups: a name for all their faces, or to be ignored
for (const group of document.querySelectorAll(".group")) {
  const { id, count } = group.dataset;
  const form = group.querySelector("form");
  const buttons = form.querySelectorAll("button");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(buttons, async () => {
      const person = await resolveName(new FormData(form).get("name"), ({ id: to, name, isNew }) => call("POST", `unknown/${id}`, to ? { to } : { name, new: isNew ?? false }));
      if (person) finish(`${plural(Number(count), "face")} enrolled as ${person.name}.`, { links: [[address(person.id), `Show ${person.name}`]] });
    });
  });
  form.querySelector(".ignore").addEventListener("click", () => attempt(buttons, async () => {
    const { answer, changes } = await correct(["POST", `unknown/${id}`, { ignore: true }]);
    finish(`${plural(Number(count), "face")} ignored from now on.`, { changes, links: [[address(answer.id), "Show"]] });
  }));
}

// Doubtful faces: yes or no; what was answered leaves the list, and the next one gets the focus
for (const question of document.querySelectorAll(".questions > li")) {
  const { crop, person, name } = question.dataset;
  const buttons = question.querySelectorAll("button");
  const done = (text, notice) => {
    const next = question.nextElementSibling ?? question.previousElementSibling;
    question.remove();
    say(text, notice);
    (next?.querySelector("button") ?? find("main")).focus();
  };
  question.querySelector(".yes").addEventListener("click", () => attempt(buttons, async () => {
    await call("POST", `indexed/${crop}/enroll`, { to: person });
    forgetPersons();
    done(`1 face enrolled as ${name}.`, { links: [[address(person), `Show ${name}`]] });
  }));
  question.querySelector(".no").addEventListener("click", () => attempt(buttons, async () => {
    const { changes } = await correct(["POST", `indexed/${crop}/deny`, { person }]);
    done(`1 face marked as not ${name}.`, { changes });
  }));
}
