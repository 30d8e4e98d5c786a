// Places the labels of a photo: inside it, below their faces, and neither on one another nor on other faces. Each has
// several texts, the longest first; a label that finds no room is shortened, at last to the number of its face.
export function placeLabels(frame) {
  const { clientWidth: width, clientHeight: height } = frame;
  if (!width || !height) return; // not shown yet
  const labels = [...frame.querySelectorAll(".tag")].map((node) => {
    const [x0, y0, x1, y1] = JSON.parse(node.dataset.box);
    return { node, texts: JSON.parse(node.dataset.texts), face: { x0: x0 * width, y0: y0 * height, x1: x1 * width, y1: y1 * height } };
  });
  for (const label of labels) label.spots = label.texts.map((text) => spot(label, text));
  for (const label of labels) label.spot = label.spots.at(-1);
  // what is shorter is tried for all labels before anything longer
  for (let length = 2; length <= Math.max(...labels.map(({ spots }) => spots.length)); length++) {
    for (const label of labels) {
      const longer = label.spots.at(-length);
      if (longer && label.spot === label.spots.at(1 - length) && hasRoom(label, longer)) label.spot = longer;
    }
  }
  for (const { node, spot: { text, x0, y0 } } of labels) {
    node.textContent = text;
    node.style.left = `${x0}px`;
    node.style.top = `${y0}px`;
  }

  function spot({ node, face }, text) {
    node.textContent = text;
    const { offsetWidth: wide, offsetHeight: high } = node;
    const x0 = Math.max(0, Math.min((face.x0 + face.x1 - wide) / 2, width - wide));
    const y0 = Math.max(0, Math.min(face.y1 + 3, height - high));
    return { text, whole: node.scrollWidth <= wide, x0, y0, x1: x0 + wide, y1: y0 + high };
  }

  function hasRoom(label, wanted) {
    return wanted.whole && labels.every((other) => other === label || !(overlap(wanted, other.spot) || overlap(wanted, other.face)));
  }
}

const overlap = (one, other) => one.x0 < other.x1 + 2 && other.x0 < one.x1 + 2 && one.y0 < other.y1 && other.y0 < one.y1;
