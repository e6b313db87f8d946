// Draws /openapi.json. Nothing is fetched from another server, and text is never parsed as markup.

const VERBS = ["get", "post", "put", "patch", "delete"];
const document_ = await (await fetch("/openapi.json")).json();
const base = location.origin + document_.servers[0].url;

/** Makes an element with attributes and children. Texts become text nodes. */
function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Draws the part of Markdown that comments use: paragraphs, lists, `code` and **bold**. */
function prose(text = "") {
  const inline = (line) => line.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith("`")) return el("code", {}, part.slice(1, -1));
    return part.startsWith("**") ? el("strong", {}, part.slice(2, -2)) : part;
  });
  return text.split("\n\n").filter(Boolean).map((block) => block.startsWith("- ")
    ? el("ul", {}, block.slice(2).split("\n- ").map((item) => el("li", {}, inline(item))))
    : el("p", {}, inline(block)));
}

/** Returns the target of a `$ref`, or the node itself if it is no reference. */
function resolve(node) {
  if (!node?.$ref) return node;
  return node.$ref.slice(2).split("/").reduce((at, step) => at[step], document_);
}

const schemaName = (schema) => schema?.$ref?.split("/").pop();

function typeOf(schema) {
  const name = schemaName(schema);
  if (name) return [el("a", { href: `#schema-${name}` }, name)];
  if (schema.anyOf) return typeOf(schema.anyOf[0]);
  const types = [schema.type].flat().filter((type) => type && type !== "null");
  if (types[0] === "array") return ["list of ", ...typeOf(schema.items)];
  if (schema.additionalProperties?.type) return ["object of ", ...typeOf(schema.additionalProperties)];
  return [types.join(" or ") + (schema.format ? ` (${schema.format})` : "")];
}

const WORDS = {
  minimum: "from", exclusiveMinimum: "above", maximum: "to", minLength: "characters from", maxLength: "characters up to",
  minItems: "items from", maxItems: "items up to", pattern: "matches",
};

/** Returns true for the bounds of a type and for long patterns, which the description of the field says in words. */
const saysLittle = (key, value) => (key === "pattern" ? value.length > 30 : Math.abs(value) >= 2 ** 31 - 1);

function rulesOf(schema) {
  const rules = [schema, schema.items ?? {}].flatMap((part) =>
    Object.entries(WORDS).filter(([key]) => part[key] !== undefined && !saysLittle(key, part[key]))
      .map(([key, word]) => `${word} ${part[key]}`));
  const values = (schema.enum ?? schema.items?.enum ?? []).filter((value) => value !== null);
  if (values.length) rules.unshift(`one of ${values.join(", ")}`);
  return rules.length ? el("div", { class: "rules" }, rules.join(" · ")) : null;
}

function row(name, schema, { required, place, description }) {
  return el("div", {},
    el("dt", {}, el("span", { class: "name" }, name), el("span", { class: "type" }, ...typeOf(schema)),
      place ? el("span", { class: "type" }, place) : null, required ? el("span", { class: "need" }, "required") : null),
    el("dd", {}, prose(description ?? schema.description), rulesOf(schema)));
}

function fields(schema) {
  const required = new Set(schema.required ?? []);
  return el("dl", {}, Object.entries(schema.properties ?? {})
    .map(([name, field]) => row(name, field, { required: required.has(name) })));
}

function code(title, text) {
  const copy = el("button", { class: "copy", type: "button" }, "copy");
  const shown = el("code", {}, text);
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(shown.textContent);
    copy.textContent = "copied";
  });
  return [el("h4", {}, copy, title), el("pre", { tabindex: "0" }, shown)];
}

/** Makes a value that fits a schema, for operations that have no example of their own. */
function fixture(schema, depth = 0) {
  const whole = resolve(schema);
  if (whole.anyOf && !whole.properties) return fixture(whole.anyOf[0], depth);
  const type = [whole.type].flat()[0];
  if (whole.enum) return whole.enum[0];
  if (type === "object") {
    const names = Object.keys(whole.properties ?? {});
    const shown = names.filter((name) => whole.required?.includes(name) || depth === 0).slice(0, 8);
    return Object.fromEntries(shown.map((name) => [name, fixture(whole.properties[name], depth + 1)]));
  }
  if (type === "array") return [fixture(whole.items, depth + 1)];
  if (type === "boolean") return true;
  if (type === "integer" || type === "number") return Math.max(1, whole.minimum ?? 1);
  return { "date-time": "2030-01-01T00:00:00Z", uuid: "0192f0c1-2f6e-7c4b-9d8a-3f2b1c0d9e8f", uri: "https://example.com/" }[whole.format] ?? "text";
}

function curl(verb, path, operation, body) {
  const filled = (operation.parameters ?? []).reduce((at, parameter) =>
    parameter.in === "path" ? at.replace(`{${parameter.name}}`, fixture(parameter.schema)) : at, path);
  const query = (operation.parameters ?? []).filter((parameter) => parameter.in === "query" && parameter.required)
    .map((parameter) => `${parameter.name}=${fixture(parameter.schema)}`).join("&");
  const key = document.getElementById("key").value || "your_api_key";
  const stream = operation.responses["200"].content["text/event-stream"] ? " -N" : "";
  const parts = [`curl${stream} -X ${verb.toUpperCase()} '${base}${filled}${query && `?${query}`}'`, `-H 'X-API-KEY: ${key}'`];
  if (body !== undefined) {
    // A quote would end the text in the shell, so each is written outside of the quotes: '\\''.
    parts.push("-H 'Content-Type: application/json'", `-d '${JSON.stringify(body, null, 2).replaceAll("'", "'\\''")}'`);
  }
  return parts.join(" \\\n  ");
}

function examples(verb, path, operation) {
  const content = operation.requestBody?.content["application/json"];
  const named = Object.values(content?.examples ?? {});
  const bodies = named.length ? named : [{ summary: "Request", value: content && fixture(content.schema) }];
  const requests = bodies.flatMap(({ summary, value }) => code(summary, curl(verb, path, operation, value)));
  const answer = operation.responses["200"].content["application/json"];
  return [...requests, ...(answer?.example ? code("Response", JSON.stringify(answer.example, null, 2)) : [])];
}

function answers(operation) {
  return el("dl", {}, Object.entries(operation.responses).map(([status, response]) => {
    const { description, content } = resolve(response);
    const data = content?.["application/json"]?.schema.properties?.data ?? content?.["text/event-stream"]?.["x-event-data"];
    const link = schemaName(data);
    return el("div", {}, el("dt", {}, el("span", { class: "status" }, status),
      link ? el("span", { class: "type" }, "data: ", el("a", { href: `#schema-${link}` }, link)) : null),
      el("dd", {}, prose(description)));
  }));
}

function article(verb, path, operation) {
  const parameters = operation.parameters ?? [];
  const body = operation.requestBody?.content["application/json"].schema;
  return el("article", { id: operation.operationId },
    el("h3", {}, operation.summary),
    el("div", { class: "route" }, el("span", { class: `verb ${verb}` }, verb.toUpperCase()), el("code", {}, document_.servers[0].url + path)),
    el("div", { class: "columns" },
      el("div", {}, prose(operation.description),
        parameters.length ? [el("h4", {}, "Parameters"), el("dl", {}, parameters.map((parameter) =>
          row(parameter.name, parameter.schema, { ...parameter, place: `in the ${parameter.in}` })))] : null,
        body ? [el("h4", {}, "Body"), fields(resolve(body))] : null,
        el("h4", {}, "Responses"), answers(operation)),
      el("div", { class: "examples", "data-verb": verb, "data-path": path }, examples(verb, path, operation))));
}

function draw() {
  const { info, paths, tags, components } = document_;
  document.getElementById("title").replaceChildren(info.title, " ", el("small", {}, info.version));
  document.getElementById("about").replaceChildren(...prose(info.description));
  const all = Object.entries(paths).flatMap(([path, item]) => VERBS.filter((verb) => item[verb]).map((verb) => [verb, path, item[verb]]));
  const groups = tags.map((tag) => [tag, all.filter(([, , operation]) => operation.tags.includes(tag.name))]);
  document.getElementById("index").replaceChildren(...groups.flatMap(([tag, operations]) => [
    el("h2", {}, tag.name.replace("Service", "")),
    el("ul", {}, operations.map(([verb, path, operation]) => el("li", { "data-words": `${verb} ${path} ${operation.summary}`.toLowerCase() },
      el("a", { href: `#${operation.operationId}` }, el("span", { class: `verb ${verb}` }, verb.toUpperCase()), operation.summary)))),
  ]));
  document.getElementById("operations").replaceChildren(...groups.map(([tag, operations]) =>
    el("section", { class: "tag" }, el("h2", {}, tag.name), prose(tag.description), operations.map((one) => article(...one)))));
  document.getElementById("schemas").replaceChildren(el("h2", {}, "Schemas"), ...Object.entries(components.schemas).map(([name, schema]) =>
    el("details", { id: `schema-${name}` }, el("summary", {}, name), prose(schema.description), fields(schema))));
}

/** Opens the schema that the link in the address leads to, and scrolls to it. */
function open() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
  target?.scrollIntoView?.();
}

draw();
open();
addEventListener("hashchange", open);
document.getElementById("filter").addEventListener("input", ({ target }) => {
  for (const item of document.querySelectorAll("nav li")) item.hidden = !item.dataset.words.includes(target.value.toLowerCase());
});
document.getElementById("key").addEventListener("input", () => {
  for (const box of document.querySelectorAll(".examples")) {
    const { verb, path } = box.dataset;
    box.replaceChildren(...examples(verb, path, document_.paths[path][verb]));
  }
});
