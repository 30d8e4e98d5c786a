// An address in the gallery that the page is of.
export function inGallery(path) {
  const gallery = new URLSearchParams(location.search).get("gallery");
  return gallery ? `${path}${path.includes("?") ? "&" : "?"}gallery=${encodeURIComponent(gallery)}` : path;
}

// Calls the API; errors carry the detail and type of the problem.
export async function call(method, path, body) {
  const options = { method, headers: {} };
  if (body instanceof FormData) options.body = body;
  else if (body) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  for (let attempt = 0; ; attempt++) {
    let response;
    try {
      response = await fetch(inGallery(`/api/v1/${path}`), options);
    } catch {
      throw new Error("The service can't be reached. Is it still running?");
    }
    if (response.ok) return response.headers.get("Content-Type").startsWith("image/") ? response.blob() : response.json();
    if (response.status === 401) location.assign("/sign-in");
    const wait = Number(response.headers.get("Retry-After"));
    if ([429, 503].includes(response.status) && wait && attempt < 5) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(wait, 10) * 1000));
      continue;
    }
    const problem = await response.json().catch(() => ({ detail: response.statusText }));
    throw Object.assign(new Error(problem.detail), { type: problem.type });
  }
}

// A node with attributes, handlers such as `onclick`, and children; strings are text, never HTML.
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

export const find = (id) => document.getElementById(id);

export const admin = document.body.dataset.admin === "yes";
export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
