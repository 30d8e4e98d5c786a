import { admin, element, plural } from "./api.js";
import { placeLabels } from "./labels.js";
import { label, shortId } from "./persons.js";

const SVG = "http://www.w3.org/2000/svg";
const percent = (share) => (share > 0.995 ? "over 99%" : `${Math.round(share * 100)}%`);
const resized = new ResizeObserver((entries) => { for (const { target } of entries) placeLabels(target); });

// the match that a face is named after, which another face of the photo may keep from being the first; else the nearest
export const matchOf = (face) => face.matches.find(({ id }) => id === face.person_id) ?? face.matches[0];
export const kindOf = (face) => (face.person ? "known" : face.ignored ? "ignored" : "unknown");

// The photo with its faces framed and labelled, and a list of them; `open(face, number)` is called for a chosen one.
export function draw({ result, image, file }, persons, open) {
  image.alt = `${file.name}, ${plural(result.faces.length, "face")}`;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${result.width} ${result.height}`);
  svg.setAttribute("aria-hidden", "true");
  const frame = element("div", { class: "frame" }, image, svg);
  const list = element("ul", { class: "faces", "aria-label": "Faces" });
  // numbered from left to right, as people read; `face.number` is the service's
  const faces = [...result.faces].sort((left, right) => left.box[0] - right.box[0]);
  for (const [index, face] of faces.entries()) {
    const number = index + 1;
    face.rivalNumber = faces.findIndex((other) => other.number === face.rival) + 1;
    const choose = admin ? () => open(face, number) : null;
    svg.append(box(face, choose));
    frame.append(tag(face, number, result, persons, choose));
    list.append(item(face, number, persons, choose));
  }
  resized.observe(frame);
  return [frame, list];
}

function box(face, choose) {
  const [x0, y0, x1, y1] = face.box;
  const rect = document.createElementNS(SVG, "rect");
  for (const [key, value] of Object.entries({ x: x0, y: y0, width: x1 - x0, height: y1 - y0, class: kindOf(face) })) rect.setAttribute(key, value);
  if (choose) rect.addEventListener("click", choose);
  return rect;
}

function tag(face, number, { faces, width, height }, persons, choose) {
  const kind = kindOf(face);
  const box = face.box.map((edge, index) => edge / (index % 2 ? height : width));
  const names = { known: () => calledInShort(face, persons), unknown: () => [kind], ignored: () => [] }[kind]();
  const texts = faces.length > 1 ? [...names.map((name) => `${number} ${name}`), `${number}`] : names.length ? names : ["ignored"];
  const data = { class: `tag ${kind}`, "data-box": JSON.stringify(box), "data-texts": JSON.stringify(texts) };
  if (!choose) return element("span", { ...data, "aria-hidden": "true" });
  // the list has the same button for the keyboard
  return element("button", { ...data, type: "button", tabindex: "-1", "aria-label": `Face ${number}: ${said(face, persons)}`, onclick: choose });
}

function item(face, number, persons, choose) {
  const kind = kindOf(face);
  const text = element("div", {}, element("strong", {}, `Face ${number}: ${said(face, persons)}`), element("div", { class: "hint" }, reason(face, persons)));
  const node = element("li", { class: kind }, text);
  if (choose) node.append(element("button", { class: "second", type: "button", onclick: choose }, `${kind === "unknown" ? "Name" : "Correct"} face ${number}`));
  return node;
}

// The longest first; people of one name are never shown by the name alone.
function calledInShort(face, persons) {
  const { id, name } = matchOf(face);
  const told = label(id, name, persons);
  return told === name ? [`${name} ${probability(face)}`.trim(), name] : [told, `${name} (${shortId(id)})`];
}

function probability(face) {
  const { probability: share } = matchOf(face);
  return share === null ? "" : percent(share);
}

function said(face, persons) {
  if (face.person) return label(face.person_id, face.person, persons);
  return face.perhaps ? `unknown, perhaps ${face.perhaps}` : kindOf(face);
}

// Why a face has its name, or none.
export function reason(face, persons) {
  const nearest = matchOf(face);
  if (!nearest) return persons.length ? "nobody is similar" : "nobody is enrolled yet";
  const similarity = `similarity ${nearest.similarity.toFixed(2)}`;
  if (face.person) return `probability ${probability(face) || "not measured"}, ${similarity}`;
  if (face.ignored) return "somebody who is to be ignored";
  if (face.perhaps) return `similar enough to ${face.perhaps}, but face ${face.rivalNumber} is ${face.perhaps}`;
  return `most similar: ${nearest.ignored ? "somebody ignored" : label(nearest.id, nearest.name, persons)}, ${similarity}, below the threshold`;
}
