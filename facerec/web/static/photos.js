import { call, element, enrol, find } from "./api.js";

const admin = document.body.dataset.admin === "yes";
const levels = [...find("levels").children].map((level) => [level.dataset.far, level.textContent]);
const perSearch = find("levels").dataset.per === "search";
const entries = []; // { file, card, result, image } of each photo on the page
let naming = null;

const far = () => levels[Number(find("far").value)][0];
const percent = (share) => (share > 0.995 ? "over 99%" : `${Math.round(share * 100)}%`);
const facesText = (count) => `${count} ${count === 1 ? "face" : "faces"}`;
const say = (text) => { find("status").textContent = text; };

// Show photos and recognise their faces.
async function add(files) {
  const chosen = [...files];
  const readable = await Promise.all(chosen.map(mayBePhoto));
  const photos = chosen.filter((_, index) => readable[index]);
  if (!photos.length) return say("None of these files is a photo.");
  const added = photos.map((file) => {
    const entry = { file, card: element("section", { class: "card photo", "aria-label": `Photo ${file.name}` }) };
    find("photos").prepend(entry.card);
    entries.push(entry);
    return entry;
  });
  await recogniseAll(added);
  const others = chosen.length - photos.length;
  if (others) say(`${find("status").textContent} ${others} ${others === 1 ? "file is not a photo" : "files are not photos"}.`);
}

// By its media type; the service decides where there is none. Reading a folder fails.
async function mayBePhoto(file) {
  if (file.type && !file.type.startsWith("image/")) return false;
  return file.slice(0, 1).arrayBuffer().then(() => true, () => false);
}

// A few photos at a time, with progress.
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
  const faces = batch.flatMap((entry) => entry.result?.faces || []);
  const known = faces.filter((face) => face.person).length;
  say(`${facesText(faces.length)} found, ${known} known, ${faces.length - known} unknown.`);
}

async function recognise(entry) {
  const form = new FormData();
  form.append("photo", entry.file);
  form.append("far", far());
  try {
    entry.result = await call("POST", "identify", form);
    entry.image ||= await loadImage(entry);
    draw(entry);
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

function draw(entry) {
  const { file, card, result, image } = entry;
  image.alt = `${file.name}, ${facesText(result.faces.length)}`;
  const frame = element("div", { class: "frame" }, image);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${result.width} ${result.height}`);
  svg.setAttribute("aria-hidden", "true");
  frame.append(svg);
  const list = element("ul", { class: "faces", "aria-label": "Faces" });
  // numbered from left to right, as people read; `face.number` is the service's
  const faces = [...result.faces].sort((left, right) => left.box[0] - right.box[0]);
  for (const [index, face] of faces.entries()) {
    const [x0, y0, x1, y1] = face.box;
    const number = index + 1;
    const kind = face.person ? "known" : "unknown";
    const rect = document.createElementNS(svg.namespaceURI, "rect");
    for (const [key, value] of Object.entries({ x: x0, y: y0, width: x1 - x0, height: y1 - y0, class: kind })) rect.setAttribute(key, value);
    svg.append(rect);
    const nearest = face.matches.find((match) => match.name === face.person) || face.matches[0];
    const probability = nearest && nearest.probability !== null ? percent(nearest.probability) : "";
    const text = face.person || (face.perhaps ? `unknown, perhaps ${face.perhaps}` : "unknown");
    const label = result.faces.length > 1 ? `${number} ${text}` : text;
    const open = () => nameFace(entry, face);
    const tag = face.person || !admin
      ? element("span", { class: `tag ${kind}`, "aria-hidden": "true" }, label + (face.person && probability ? ` ${probability}` : ""))
      : element("button", { class: `tag ${kind}`, type: "button", tabindex: "-1", "aria-label": `Name unknown face ${number}`, onclick: open }, label);
    tag.style.left = `${(50 * (x0 + x1)) / result.width}%`;
    tag.style.top = `${(100 * y1) / result.height}%`;
    frame.append(tag);
    if (!face.person && admin) rect.addEventListener("click", open);
    const item = element("li", { class: kind }, element("strong", {}, `Face ${number}: ${text}`));
    if (face.person) item.append(element("div", { class: "hint" }, `probability ${probability || "not measured"}, similarity ${nearest.similarity.toFixed(2)}`));
    if (face.perhaps) {
      const rival = faces.findIndex((other) => other.number === face.rival) + 1;
      item.append(element("div", { class: "hint" }, `similar enough to ${face.perhaps}, but face ${rival} is ${face.perhaps}`));
    }
    if (!face.person) {
      if (!face.perhaps) item.append(element("div", { class: "hint" }, nearest ? `most similar: ${nearest.name}, similarity ${nearest.similarity.toFixed(2)}, below the threshold` : "nobody is enrolled yet"));
      if (admin) item.append(element("button", { class: "second", type: "button", onclick: open }, `Name face ${number}`));
    }
    list.append(item);
  }
  const parts = [element("h2", {}, file.name), frame];
  const rule = result.faces[0] && result.faces[0].rule;
  if (!result.faces.length) parts.push(element("p", {}, "No faces found."));
  const rate = rule && (perSearch ? rule.search_far : rule.far);
  if (rule && rule.extrapolated && rate <= 1.01 * Number(far())) {
    parts.push(element("p", { class: "hint" }, "This model was not measured at so few false matches: the rate is an estimate."));
  } else if (rate > 1.01 * Number(far())) {
    const count = Math.max(1, Math.round(1 / rate)).toLocaleString("en");
    parts.push(element("p", { class: "hint" }, `This model's thresholds were measured down to 1 false match in ${count} ${perSearch ? `searches of ${rule.persons} people` : "comparisons"}; that rate applies here.`));
  }
  card.replaceChildren(...parts, list);
}

// Name an unknown face: it is enrolled, and every photo is processed again.
async function nameFace(entry, face) {
  naming = { entry, face };
  const [x0, y0, x1, y1] = face.box;
  const scale = entry.image.naturalWidth / entry.result.width;
  const canvas = find("naming-face");
  canvas.getContext("2d").drawImage(entry.image, x0 * scale, y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale, 0, 0, 112, 112);
  const why = face.perhaps ? "but another face of the photo is more so" : "but below the threshold";
  find("naming-nearest").textContent = face.matches.length ? `Most similar: ${face.matches[0].name}, ${why}.` : "";
  find("naming-error").textContent = "";
  find("naming-name").value = "";
  find("naming").showModal();
  find("naming-name").focus();
  const persons = await call("GET", "persons").catch(() => []);
  find("known").replaceChildren(...persons.map((person) => element("option", { value: person.name })));
}

find("naming-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData();
  form.append("name", find("naming-name").value);
  form.append("face", naming.face.number);
  form.append("photos", naming.entry.file);
  const button = event.submitter || find("naming-form").querySelector("[type=submit]");
  button.disabled = true;
  try {
    const enrolled = await enrol(form);
    find("naming").close();
    await recogniseAll(entries);
    say(`${enrolled.person.name} is enrolled. ${find("status").textContent}`);
  } catch (error) {
    find("naming-error").textContent = error.message;
  } finally {
    button.disabled = false;
  }
});
find("naming-cancel").addEventListener("click", () => find("naming").close());

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

const stop = () => {
  for (const track of find("video").srcObject?.getTracks() || []) track.stop();
  find("video").srcObject = null;
};
find("camera").addEventListener("click", async () => {
  try {
    find("video").srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    find("camera-dialog").showModal();
  } catch {
    say("No camera is available, or the browser may not use it.");
  }
});
find("camera-dialog").addEventListener("close", stop);
find("camera-dialog-cancel").addEventListener("click", () => find("camera-dialog").close());
find("shoot").addEventListener("click", () => {
  const video = find("video");
  if (!video.videoWidth) return; // no frame yet
  const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => add([new File([blob], "camera.jpg", { type: "image/jpeg" })]), "image/jpeg", 0.92);
  find("camera-dialog").close();
});

find("far").addEventListener("input", () => {
  const [, description] = levels[Number(find("far").value)];
  find("far-text").textContent = description;
  find("far").setAttribute("aria-valuetext", description);
});
find("far").addEventListener("change", () => { if (entries.length) recogniseAll(entries); });
