import { find, plural } from "./api.js";
import { enrol, remarks } from "./enrol.js";
import { finish, say } from "./notice.js";
import { address } from "./persons.js";

find("add")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  say("Enrolling …");
  try {
    const enrolled = await enrol({ name: find("add-name").value }, find("add-photos").files);
    if (!enrolled) return say("Nobody was enrolled.");
    const { person } = enrolled;
    const text = [`${person.name} is enrolled with ${plural(enrolled.new, "new sample")}.`, ...remarks(enrolled)].join(" ");
    finish(text, { links: [[address(person.id), `Show ${person.name}`]] });
  } catch (error) {
    say(error.message);
  } finally {
    button.disabled = false;
  }
});

// Search: every word must occur, whatever its case and accents.
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
const people = [...document.querySelectorAll("a.person")].map((card) => ({ item: card.parentElement, text: plain(card.dataset.search) }));
find("search")?.addEventListener("input", (event) => {
  const words = plain(event.target.value).split(/\s+/);
  const shown = people.filter(({ item, text }) => {
    item.hidden = !words.every((word) => text.includes(word));
    return !item.hidden;
  });
  const all = plural(people.length, "person", "people");
  find("found").textContent = shown.length < people.length ? `${shown.length} of ${all}` : all;
});
