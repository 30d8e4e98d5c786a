import { call, element, find } from "./api.js";
import { correct } from "./corrections.js";
import { formDialog } from "./dialog.js";
import { kindOf, matchOf, reason } from "./drawing.js";
import { enrol, remarks } from "./enrol.js";
import { address, forgetPersons, label, listPersons, offerNames } from "./persons.js";

const TAKEN = "urn:facerec:taken";
const TITLES = { known: (name) => `Is this ${name}?`, unknown: () => "Who is this?", ignored: () => "This person is ignored" };
let entry = null; // the photo
let face = null;

// The dialog in which a face gets a name, or loses a wrong one; `done(text, notice)` is called after each correction.
export function useNaming(done) {
  const dialog = formDialog("naming", (fields) => enrolFace({ name: fields.get("name") }));

  async function finish(text, notice) {
    forgetPersons();
    dialog.close();
    await done(text, notice);
  }

  // "it is Bea"; a face that was enrolled as somebody else by mistake is taken from them first
  async function enrolFace(who) {
    let enrolled;
    let changes = [];
    const send = () => enrol(who, [entry.file], { face: face.number });
    try {
      enrolled = await send();
    } catch (error) {
      if (error.type !== TAKEN || !face.matches.length) throw error;
      ({ changes } = await deny(matchOf(face)));
      enrolled = await send();
    }
    if (!enrolled) return;
    await finish([`${enrolled.person.name} is enrolled.`, ...remarks(enrolled)].join(" "), { changes });
  }

  function deny({ id }) {
    const form = new FormData();
    form.append("photo", entry.file);
    form.append("face", face.number);
    return correct(["POST", `persons/${id}/denials`, form]);
  }

  async function notThem(match) {
    const { changes } = await deny(match);
    await finish(`1 face marked as not ${match.name}.`, { changes });
  }

  async function unignore(match) {
    const { changes } = await correct(["PATCH", `persons/${match.id}`, { ignored: false }]);
    await finish(`${match.name} is no longer ignored.`, { changes });
  }

  return async (chosenEntry, chosenFace) => {
    [entry, face] = [chosenEntry, chosenFace];
    const kind = kindOf(face);
    const persons = await listPersons().catch(() => []);
    const nearest = matchOf(face);
    const others = face.matches.filter((match) => match !== nearest);
    const called = (match) => label(match.id, match.name, persons);
    const button = (text, work) => element("button", { type: "button", class: "second", onclick: () => dialog.run(work) }, text);
    const answers = [];
    if (kind === "known") answers.push(button(`Not ${called(nearest)}`, () => notThem(nearest)));
    if (kind === "ignored") answers.push(button(`No longer ignore ${called(nearest)}`, () => unignore(nearest)));
    for (const match of kind === "unknown" ? face.matches : others) answers.push(button(`It is ${called(match)}`, () => enrolFace(match)));
    paint(find("naming-face"));
    find("naming-title").textContent = TITLES[kind](nearest && called(nearest));
    find("naming-nearest").textContent = reason(face, persons);
    find("naming-page").replaceChildren(...(kind === "unknown" ? [] : [element("a", { href: address(nearest.id), target: "_blank" }, `All of ${nearest.name} (in a new tab)`)]));
    find("naming-answers").replaceChildren(...answers);
    find("naming-name").value = "";
    dialog.open();
    (kind === "unknown" ? find("naming-name") : find("naming-answers").firstElementChild).focus();
    offerNames();
  };
}

// The face, as a square.
function paint(canvas) {
  const [x0, y0, x1, y1] = face.box;
  const scale = entry.image.naturalWidth / entry.result.width;
  const side = Math.max(x1 - x0, y1 - y0);
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, 112, 112);
  context.drawImage(entry.image, ((x0 + x1 - side) / 2) * scale, ((y0 + y1 - side) / 2) * scale, side * scale, side * scale, 0, 0, 112, 112);
}
