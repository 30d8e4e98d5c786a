import { call, element, find, inGallery, plural } from "./api.js";
import { correct } from "./corrections.js";
import { formDialog } from "./dialog.js";
import { resolveName } from "./enrol.js";
import { finish, say } from "./notice.js";
import { address, label, listPersons, offerNames } from "./persons.js";

const { id, name, note } = find("person").dataset;

async function attempt(button, work) {
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    say(error.message);
    button.disabled = false;
  }
}

// The person
const rename = formDialog("rename", async (fields) => {
  const wanted = { name: fields.get("name").trim(), note: fields.get("note").replaceAll("\r\n", "\n").trim() };
  if (wanted.name === name && wanted.note === note) return rename.close();
  const { answer, changes } = await correct(["PATCH", `persons/${id}`, wanted]);
  const text = answer.name !== name ? `${name} is now called ${answer.name}.` : `The note on ${name} was changed.`;
  finish(text, { changes });
});

find("ignore").addEventListener("click", ({ target }) => attempt(target, async () => {
  const ignored = target.dataset.ignored === "no";
  const { changes } = await correct(["PATCH", `persons/${id}`, { ignored }]);
  finish(ignored ? `${name} is ignored from now on.` : `${name} is no longer ignored.`, { changes });
}));

formDialog("merge", async (fields) => {
  const { answer, changes } = await correct(["POST", `persons/${id}/merge`, { into: fields.get("into") }]);
  finish(`${name} was merged into ${answer.name}, who now has ${plural(answer.samples, "sample")}.`, { changes, to: address(answer.id) });
});
document.querySelector("[data-opens=merge]")?.addEventListener("click", async () => {
  const persons = await listPersons();
  find("merge-into").replaceChildren(element("option", { value: "" }, "Choose a person"), ...persons.filter((other) => other.id !== id).map((other) => element("option", { value: other.id }, label(other.id, other.name, persons))));
});

formDialog("erase", async () => {
  const erased = await call("DELETE", `persons/${id}`);
  finish(`${name} was erased, with ${plural(erased.samples, "sample")}.${erased.log_deleted ? "" : " Traces remain in the database server's write-ahead log until it is overwritten."}`, { to: inGallery("/people") });
});

// Samples
const selected = () => [...document.querySelectorAll("[name=sample]:checked")].map((box) => box.value);

find("samples")?.addEventListener("change", () => {
  const count = selected().length;
  find("selected").textContent = count ? `${plural(count, "sample")} selected` : "Select samples to put right";
});
const withSelected = (button, work) => find(button)?.addEventListener("click", ({ target }) => {
  const samples = selected();
  if (samples.length) work(samples, target);
  else say("Select one sample or more first.");
});

withSelected("delete", (samples, button) => attempt(button, async () => {
  const { changes } = await correct(["POST", "samples/delete", { samples }]);
  finish(`${plural(samples.length, "sample")} of ${name} ${samples.length === 1 ? "was" : "were"} deleted.`, { changes });
}));

withSelected("deny", (samples, button) => attempt(button, async () => {
  const requests = samples.map((sample) => {
    const form = new FormData();
    form.append("sample", sample);
    return ["POST", `persons/${id}/denials`, form];
  });
  const { changes } = await correct(...requests);
  finish(`${plural(samples.length, "face")} marked as not ${name}.`, { changes });
}));

const move = formDialog("move", async (fields) => {
  const samples = selected();
  const moved = await resolveName(fields.get("name"), ({ id: to, name: called, isNew }) => {
    const whom = to ? { to } : { name: called, new: isNew || fields.has("new") };
    return correct(["POST", "samples/move", { samples, ...whom }]);
  });
  if (moved) finish(`${plural(samples.length, "sample")} ${samples.length === 1 ? "was" : "were"} moved from ${name} to ${moved.answer.name}.`, { changes: moved.changes, links: [[address(moved.answer.id), `Show ${moved.answer.name}`]] });
});
withSelected("move-samples", () => {
  move.open();
  offerNames();
});

for (const button of document.querySelectorAll("button.allow")) {
  button.addEventListener("click", () => attempt(button, async () => {
    const { changes } = await correct(["DELETE", `persons/${id}/denials/${button.dataset.crop}`]);
    finish(`1 face no longer marked as not ${name}.`, { changes });
  }));
}
