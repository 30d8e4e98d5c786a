import { admin, call, element, find, plural } from "./api.js";
import { useCamera } from "./camera.js";
import { draw, kindOf } from "./drawing.js";
import { useNaming } from "./naming.js";
import { say } from "./notice.js";
import { listPersons } from "./persons.js";

const levels = [...find("levels").children].map((level) => [level.dataset.far, level.textContent]);
const perSearch = find("levels").dataset.per === "search";
const entries = []; // { file, card, result, image } of each photo on the page
const far = () => levels[Number(find("far").value)][0];

// After a correction every photo is recognised again.
async function corrected(text, notice = {}) {
  say(text);
  find("notice").focus();
  const found = await recogniseAll(entries);
  say(`${text} ${found}`, { ...notice, what: text, after: corrected });
}
const openNaming = admin ? useNaming(corrected) : null;

// Show photos in the order in which they were chosen, and recognise their faces.
async function add(files) {
  const chosen = [...files];
  const readable = await Promise.all(chosen.map(mayBePhoto));
  const photos = chosen.filter((_, index) => readable[index]);
  if (!photos.length) return say("None of these files is a photo.");
  const added = photos.map((file) => ({ file, card: element("section", { class: "card photo", "aria-label": `Photo ${file.name}` }, element("h2", {}, file.name), element("p", { class: "hint" }, "Waiting …")) }));
  find("photos").prepend(...added.map((entry) => entry.card));
  entries.unshift(...added);
  find("drop").classList.add("small");
  const found = await recogniseAll(added);
  const others = chosen.length - photos.length;
  say(others ? `${found} ${plural(others, "file is not a photo", "files are not photos")}.` : found);
}

// By its media type; the service decides where there is none. Reading a folder fails.
async function mayBePhoto(file) {
  if (file.type && !file.type.startsWith("image/")) return false;
  return file.slice(0, 1).arrayBuffer().then(() => true, () => false);
}

// A few photos at a time, with progress; gives a sentence on what was found.
async function recogniseAll(batch) {
  const waiting = [...batch];
  let done = 0;
  const progress = find("progress");
  find("progress-area").hidden = batch.length < 2;
  progress.max = batch.length;
  const step = () => {
    progress.value = done;
    find("progress-text").textContent = `${done} of ${batch.length} photos processed`;
  };
  step();
  say(batch.length === 1 ? "Processing the photo …" : "Processing the photos …");
  const worker = async () => {
    for (let entry = waiting.shift(); entry; entry = waiting.shift()) {
      await recognise(entry);
      done += 1;
      step();
    }
  };
  await Promise.all([worker(), worker(), worker()]);
  find("progress-area").hidden = true;
  const kinds = batch.flatMap((entry) => entry.result?.faces || []).map(kindOf);
  const count = (kind) => kinds.filter((one) => one === kind).length;
  return `${plural(kinds.length, "face")} found, ${count("known")} known, ${count("unknown")} unknown${count("ignored") ? `, ${count("ignored")} ignored` : ""}.`;
}

async function recognise(entry) {
  const form = new FormData();
  form.append("photo", entry.file);
  form.append("far", far());
  try {
    entry.result = await call("POST", "identify", form);
    entry.image ||= await loadImage(entry);
    show(entry, await listPersons());
  } catch (error) {
    entry.result = null;
    entry.card.replaceChildren(element("h2", {}, entry.file.name), element("p", { class: "error", role: "alert" }, error.message));
  }
}

// The photo as the service decoded it. What the browser can't show, or rotates differently, the service converts.
async function loadImage({ file, result }) {
  const image = element("img", { src: URL.createObjectURL(file) });
  const decoded = await image.decode().then(() => true, () => false);
  if (decoded && image.naturalWidth === result.width && image.naturalHeight === result.height) return image;
  URL.revokeObjectURL(image.src);
  const form = new FormData();
  form.append("photo", file);
  image.src = URL.createObjectURL(await call("POST", "preview", form));
  await image.decode();
  return image;
}

function show(entry, persons) {
  const { card, file, result: { faces } } = entry;
  const [frame, list] = draw(entry, persons, (face) => openNaming(entry, face));
  const parts = [element("h2", {}, file.name), frame];
  if (!faces.length) parts.push(element("p", {}, "No faces found."));
  const rule = faces[0]?.rule;
  const rate = rule && (perSearch ? rule.search_far : rule.far);
  if (rule && rule.extrapolated && rate <= 1.01 * Number(far())) {
    parts.push(element("p", { class: "hint" }, "This model was not measured at so few false matches: the rate is an estimate."));
  } else if (rate > 1.01 * Number(far())) {
    const count = Math.max(1, Math.round(1 / rate)).toLocaleString("en");
    parts.push(element("p", { class: "hint" }, `This model's thresholds were measured down to 1 false match in ${count} ${perSearch ? `searches of ${rule.persons} people` : "comparisons"}; that rate applies here.`));
  }
  card.replaceChildren(...parts, list);
}

// Choose, drop, paste or take photos
find("files").addEventListener("change", (event) => {
  add(event.target.files);
  event.target.value = ""; // else choosing the same photo again would not fire
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    find("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") add(event.dataTransfer.files);
  });
}
document.addEventListener("paste", (event) => { if (event.clipboardData.files.length) add(event.clipboardData.files); });
useCamera((photo) => add([photo]), () => say("No camera is available, or the browser may not use it."));

find("far").addEventListener("input", () => {
  const [, description] = levels[Number(find("far").value)];
  find("far-text").textContent = description;
  find("far").setAttribute("aria-valuetext", description);
});
find("far").addEventListener("change", async () => { if (entries.length) say(await recogniseAll(entries)); });
