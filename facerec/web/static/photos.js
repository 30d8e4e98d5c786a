import { call, element, enrol, find } from "./api.js";

const admin = document.body.dataset.admin === "yes";
const levels = [...find("levels").children].map((one) => [one.dataset.far, one.textContent]);
const shown = []; // { file, card, seen, image }
let naming = null;

const far = () => levels[Number(find("far").value)][0];
const percent = (share) => (share > 0.995 ? "over 99 %" : `${Math.round(share * 100)} %`);
const say = (text) => { find("status").textContent = text; };

// Read photos: a few at a time, with progress.
async function add(files) {
  const given = [...files];
  const readable = await Promise.all(given.map(mayBePhoto));
  const photos = given.filter((_, place) => readable[place]);
  if (!photos.length) return say("There is no photo in what you gave.");
  const fresh = photos.map((file) => {
    const entry = { file, card: element("section", { class: "card photo", "aria-label": `Photo ${file.name}` }) };
    find("photos").prepend(entry.card);
    shown.push(entry);
    return entry;
  });
  await readAll(fresh);
  const others = given.length - photos.length;
  if (others) say(`${find("status").textContent} ${others} ${others === 1 ? "file is" : "files are"} no photo.`);
}

// By what the system calls it; where it says nothing, the service looks. A folder is no file that can be read.
async function mayBePhoto(file) {
  if (file.type && !file.type.startsWith("image/")) return false;
  return file.slice(0, 1).arrayBuffer().then(() => true, () => false);
}

async function readAll(entries) {
  const waiting = [...entries];
  let done = 0;
  const progress = find("progress");
  find("progress-area").hidden = entries.length < 2;
  progress.max = entries.length;
  const step = () => {
    progress.value = done;
    find("progress-words").textContent = `${done} of ${entries.length} photos read`;
  };
  step();
  say(entries.length === 1 ? "Reading the photo …" : "Reading the photos …");
  const worker = async () => {
    for (let entry = waiting.shift(); entry; entry = waiting.shift()) {
      await read(entry);
      done += 1;
      step();
    }
  };
  await Promise.all([worker(), worker(), worker()]);
  const faces = entries.reduce((sum, one) => sum + (one.seen ? one.seen.faces.length : 0), 0);
  const known = entries.reduce((sum, one) => sum + (one.seen ? one.seen.faces.filter((face) => face.person).length : 0), 0);
  say(`${faces} ${faces === 1 ? "face" : "faces"} found, ${known} known, ${faces - known} unknown.`);
}

async function read(entry) {
  const form = new FormData();
  form.append("photo", entry.file);
  form.append("far", far());
  try {
    entry.seen = await call("POST", "identify", form);
    entry.image ||= await picture(entry);
    draw(entry);
  } catch (error) {
    entry.seen = null;
    entry.card.replaceChildren(element("h2", {}, entry.file.name), element("p", { class: "error", role: "alert" }, error.message));
  }
}

// The photo as the service sees it: a TIFF or HEIC, or one that the browser turns otherwise, comes from there.
async function picture({ file, seen }) {
  const image = element("img", { src: URL.createObjectURL(file) });
  const decoded = await image.decode().then(() => true, () => false);
  if (decoded && image.naturalWidth === seen.width && image.naturalHeight === seen.height) return image;
  URL.revokeObjectURL(image.src);
  const form = new FormData();
  form.append("photo", file);
  image.src = URL.createObjectURL(await call("POST", "preview", form));
  await image.decode();
  return image;
}

function draw(entry) {
  const { file, card, seen, image } = entry;
  image.alt = `${file.name}, with ${seen.faces.length} faces`;
  const frame = element("div", { class: "frame" }, image);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${seen.width} ${seen.height}`);
  svg.setAttribute("aria-hidden", "true");
  frame.append(svg);
  const list = element("ul", { class: "faces", "aria-label": "Faces" });
  // counted as people read, from left to right; `face.number` is what the service calls them
  for (const [place, face] of [...seen.faces].sort((one, other) => one.box[0] - other.box[0]).entries()) {
    const [x0, y0, x1, y1] = face.box;
    const number = place + 1;
    const kind = face.person ? "known" : "unknown";
    const rect = document.createElementNS(svg.namespaceURI, "rect");
    for (const [key, value] of Object.entries({ x: x0, y: y0, width: x1 - x0, height: y1 - y0, class: kind })) rect.setAttribute(key, value);
    svg.append(rect);
    const nearest = face.matches[0];
    const sure = nearest && nearest.probability !== null ? percent(nearest.probability) : "";
    const text = face.person || "unknown";
    const label = seen.faces.length > 1 ? `${number} ${text}` : text;
    const open = () => ask(entry, face);
    const tag = face.person || !admin
      ? element("span", { class: `tag ${kind}`, "aria-hidden": "true" }, label + (face.person && sure ? ` ${sure}` : ""))
      : element("button", { class: `tag ${kind}`, type: "button", tabindex: "-1", "aria-label": `Name unknown face ${number}`, onclick: open }, label);
    tag.style.left = `${(50 * (x0 + x1)) / seen.width}%`;
    tag.style.top = `${(100 * y1) / seen.height}%`;
    frame.append(tag);
    if (!face.person && admin) rect.addEventListener("click", open);
    const item = element("li", { class: kind }, element("strong", {}, `Face ${number}: ${text}`));
    if (face.person) item.append(element("div", { class: "hint" }, `probability ${sure || "not measured"}, similarity ${nearest.similarity.toFixed(2)}`));
    else {
      item.append(element("div", { class: "hint" }, nearest ? `nearest ${nearest.name}, similarity ${nearest.similarity.toFixed(2)}, not enough` : "nobody is enrolled yet"));
      if (admin) item.append(element("button", { class: "second", type: "button", onclick: open }, `Name face ${number}`));
    }
    list.append(item);
  }
  const parts = [element("h2", {}, file.name), frame];
  const rule = seen.faces[0] && seen.faces[0].rule;
  if (!seen.faces.length) parts.push(element("p", {}, "No face found."));
  if (rule && rule.search_far > 1.01 * Number(far())) {
    const reached = Math.max(1, Math.round(1 / rule.search_far)).toLocaleString("en");
    parts.push(element("p", { class: "hint" }, `The strictest this model was measured for is 1 stranger in ${reached} searches among ${rule.persons} people; that is what holds here.`));
  }
  card.replaceChildren(...parts, list);
}

// Name an unknown face; it is enrolled, and every photo is read again.
async function ask(entry, face) {
  naming = { entry, face };
  const [x0, y0, x1, y1] = face.box;
  const scale = entry.image.naturalWidth / entry.seen.width;
  const canvas = find("naming-face");
  canvas.getContext("2d").drawImage(entry.image, x0 * scale, y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale, 0, 0, 112, 112);
  find("naming-nearest").textContent = face.matches.length ? `Nearest is ${face.matches[0].name}, but not near enough.` : "";
  find("naming-error").textContent = "";
  find("naming-name").value = "";
  find("naming").showModal();
  find("naming-name").focus();
  const persons = await call("GET", "persons").catch(() => []);
  find("known").replaceChildren(...persons.map((one) => element("option", { value: one.name })));
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
    await readAll(shown);
    say(`${enrolled.person.name} is enrolled, and the photo was read again. ${find("status").textContent}`);
  } catch (error) {
    find("naming-error").textContent = error.message;
  } finally {
    button.disabled = false;
  }
});
find("naming-cancel").addEventListener("click", () => find("naming").close());

// Four ways to give a photo
find("files").addEventListener("change", (event) => {
  add(event.target.files);
  event.target.value = ""; // or choosing the same photo once more would be no change
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
    find("shooting").showModal();
  } catch {
    say("There is no camera, or the browser may not use it.");
  }
});
find("shooting").addEventListener("close", stop);
find("shooting-cancel").addEventListener("click", () => find("shooting").close());
find("shoot").addEventListener("click", () => {
  const video = find("video");
  if (!video.videoWidth) return; // no picture has come yet
  const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => add([new File([blob], "camera.jpg", { type: "image/jpeg" })]), "image/jpeg", 0.92);
  find("shooting").close();
});

find("far").addEventListener("input", () => {
  const [, words] = levels[Number(find("far").value)];
  find("far-words").textContent = words;
  find("far").setAttribute("aria-valuetext", words);
});
find("far").addEventListener("change", () => { if (shown.length) readAll(shown); });
