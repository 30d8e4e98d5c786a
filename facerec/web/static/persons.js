import { call, element, find, inGallery, plural } from "./api.js";

let listed = null;

// Everybody enrolled; asked for again after `forgetPersons`.
export const listPersons = () => (listed ||= call("GET", "persons").catch((error) => { listed = null; throw error; }));
export const forgetPersons = () => { listed = null; };

export const shortId = (id) => id.slice(0, 8);
export const address = (id) => inGallery(`/people/${id}`);

// What tells persons of one name apart: the beginnings of note and id.
export function detail({ id, note }) {
  const [line] = note.split("\n");
  return [line.length > 40 ? `${line.slice(0, 39)}…` : line, shortId(id)].filter(Boolean).join(", ");
}

// The name, and where others have it, too, what tells them apart.
export function label(id, name, persons) {
  const alike = persons.filter((person) => person.name === name);
  const person = alike.find((one) => one.id === id);
  return person && alike.length > 1 ? `${name} (${detail(person)})` : name;
}

export function portrait({ name, picture }) {
  if (picture) return element("img", { class: "portrait", src: inGallery(`/api/v1/samples/${picture}/image`), alt: "" });
  return element("span", { class: "portrait", "aria-hidden": "true" }, [...name][0].toUpperCase());
}

export const describe = (person) => [
  portrait(person),
  element("span", {}, element("strong", {}, person.name), element("span", { class: "hint" }, `${detail(person)}, ${plural(person.samples, "sample")}`)),
];

// Offers the names that are enrolled in the field whose list has the id `known`.
export async function offerNames() {
  const persons = await listPersons().catch(() => []);
  const names = [...new Set(persons.map((person) => person.name))];
  find("known").replaceChildren(...names.map((name) => element("option", { value: name })));
}
