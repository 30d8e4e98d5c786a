import { call } from "./api.js";
import { choose } from "./choose.js";
import { describe, forgetPersons, listPersons } from "./persons.js";

const AMBIGUOUS = "urn:facerec:ambiguous";
const UNLIKE = "urn:facerec:unlike";
const clean = (name) => name.normalize("NFC").trim().split(/\s+/).join(" ");

// Calls `send({ name })`. Where several persons have the name it asks which one, and calls `send({ id })` or
// `send({ name, isNew: true })`. Gives the answer, or null if nobody was chosen.
export async function resolveName(name, send) {
  try {
    return await send({ name });
  } catch (error) {
    if (error.type !== AMBIGUOUS) throw error;
  }
  forgetPersons();
  const alike = (await listPersons()).filter((person) => person.name === clean(name));
  const answers = [...alike.map((person) => [person.id, ...describe(person)]), ["new", `Somebody new called ${clean(name)}`]];
  const chosen = await choose(`Which ${clean(name)}?`, "Several people have this name.", answers);
  if (!chosen) return null;
  return send(chosen === "new" ? { name, isNew: true } : { id: chosen });
}

// Enrols photos as the person of that name, or with that name and id, and asks where it isn't clear who that is.
// Null: nothing was enrolled.
export async function enrol({ id, name }, photos, fields = {}) {
  const enrolled = id ? await send({ id }, true) : await resolveName(name, (who) => send(who, true));
  forgetPersons();
  return enrolled;

  async function send(who, ask) {
    const form = new FormData();
    for (const [key, value] of Object.entries({ ...fields, ask })) form.append(key, value);
    if (who.id) form.append("person", who.id);
    else form.append("name", who.name);
    if (who.isNew) form.append("new", "true");
    for (const photo of photos) form.append("photos", photo);
    try {
      return await call("POST", "samples", form);
    } catch (error) {
      if (error.type !== UNLIKE) throw error;
      const answers = [["anyway", "Enrol it anyway"], ["new", `It is somebody else called ${clean(name)}`]];
      const chosen = await choose("Is it the same person?", `Warning: ${error.message}.`, answers);
      if (!chosen) return null;
      return send(chosen === "new" ? { name, isNew: true } : who, false);
    }
  }
}

// What is to be said of an enrolment: photos that were not used, resemblances, and names that are nearly the same.
export function remarks({ person, photos, similar_names: similar }) {
  return [
    ...photos.filter((photo) => photo.problem).map((photo) => `${photo.photo} was not used: ${photo.problem}.`),
    ...photos.filter((photo) => photo.weak && !photo.problem).map((photo) => `${photo.photo} is weak: ${photo.weak}.`),
    ...photos.filter((photo) => photo.looks_like).map((photo) => `${photo.photo} also looks like ${photo.looks_like}.`),
    ...similar.map((name) => `Somebody is called ${name}: if that is ${person.name}, too, merge the two.`),
  ];
}
