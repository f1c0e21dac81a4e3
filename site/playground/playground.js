// The page: it works a moment after each change, and says what came out.

import { examples } from "./examples.js";
import { load, render } from "./engine.js";

const at = (id) => document.getElementById(id);
const texts = {
  template: "Template",
  secrets: "Secrets",
  variables: "Environment",
  yaml: "leasehold.yaml",
  hcl: "agent.hcl",
};

let waiting;
let asked = 0;

// What is tried: `template`, `yaml` or `hcl`.
function kind() {
  return document.querySelector("input[name=kind]:checked").value;
}

function question() {
  if (kind() !== "template") return { kind: kind(), configuration: at(kind()).value };
  return {
    kind: "template",
    template: at("template").value,
    secrets: at("secrets").value,
    variables: at("variables").value,
    left: at("left").value,
    right: at("right").value,
    missing_key: at("missing-key").value,
  };
}

async function show() {
  const turn = ++asked;
  const asking = question();
  const answer = await render(asking);
  // A newer question is under way.
  if (turn !== asked) return;
  const problems = problemsOf(answer, asking.kind);
  const wrong = problems.filter(({ severity }) => severity === "error").map(({ within }) => within);
  for (const id of Object.keys(texts)) mark(at(id), wrong.includes(id));
  at("problems").replaceChildren(...problems.map(item));
  at("problems").hidden = problems.length === 0;
  const output = answer.output ?? answer.base64 ?? answer.files?.join("\n");
  at("output").textContent = output ?? "";
  at("output").hidden = output === undefined || (output === "" && asking.kind !== "template");
  say(words(answer, asking.kind, problems));
}

// The problems of an answer in one form, whether there is one of a template or a list of a configuration.
function problemsOf(answer, within) {
  if (answer.error !== undefined) return [{ severity: "error", message: answer.error, ...answer }];
  return (answer.problems ?? []).map((problem) => ({ ...problem, within }));
}

function mark(text, wrong) {
  if (wrong) text.setAttribute("aria-invalid", "true");
  else text.removeAttribute("aria-invalid");
}

// What is said of the whole, in a sentence.
function words(answer, kind, problems) {
  const first = problems.find(({ severity }) => severity === "error");
  const why = first && `${texts[first.within]}${place(first)}: ${first.message}`;
  if (kind === "template") return first ? `Not rendered. ${why}` : rendered(answer);
  if (answer.error !== undefined) return `Not checked. ${why}`;
  const parts = [`The configuration is ${answer.good ? "good" : "refused"}: ${answer.summary}.`];
  if (!answer.good) parts.push(why);
  else if (kind === "yaml" && answer.files.length > 0) parts.push("A run writes the files below.");
  if (kind === "hcl") parts.unshift(answer.output === undefined ? "Not converted." : "Converted to a leasehold.yaml.");
  return parts.join(" ");
}

function rendered(answer) {
  if (answer.base64 !== undefined) return "Rendered. The output is not text; it is shown in base64.";
  const { output } = answer;
  const lines = output === "" ? 0 : output.split("\n").length - (output.endsWith("\n") ? 1 : 0);
  return `Rendered: ${lines === 1 ? "1 line" : `${lines} lines`}.`;
}

function hasPlace({ line }) {
  return line !== undefined && line !== null;
}

function place(problem) {
  return hasPlace(problem) ? `, line ${problem.line}, column ${problem.column}` : "";
}

// A problem with its line, what to do, and a button that leads to its place.
function item(problem, index) {
  const { severity, message, hint, within } = problem;
  const weight = severity === "warning" ? "Warning" : "Error";
  const parts = [element("p", `${weight}: ${texts[within]}${place(problem)}: ${message}`)];
  parts[0].className = `what ${severity}`;
  if (hasPlace(problem)) {
    const lines = element("pre", excerpt(problem));
    // It repeats what was said, and a caret says nothing. A long line can be scrolled, and would take the focus.
    lines.setAttribute("aria-hidden", "true");
    lines.tabIndex = -1;
    parts.push(lines);
  }
  if (hint) parts.push(element("p", `What to do: ${hint}${/[.?!]$/.test(hint) ? "" : "."}`));
  // Of a template's three texts, it leads to the one that is meant; a configuration is one text.
  if (hasPlace(problem) || kind() === "template") parts.push(button(problem, index));
  const whole = document.createElement("li");
  whole.append(...parts);
  return whole;
}

function button(problem, index) {
  const made = element("button", "Go to the place");
  made.type = "button";
  made.id = `go-${index + 1}`;
  if (hasPlace(problem)) made.setAttribute("aria-label", `Go to the place${place(problem)}`);
  made.addEventListener("click", () => go(problem));
  return made;
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

// The line that is wrong, with a mark below it.
function excerpt({ within, line, column }) {
  const text = at(within).value.split("\n")[line - 1] ?? "";
  const before = Array.from(text).slice(0, column - 1).join("");
  return `${text}\n${before.replace(/[^\t]/gu, " ")}^`;
}

// Only a change is said, so that a screen reader does not repeat itself.
function say(words) {
  if (at("status").textContent !== words) at("status").textContent = words;
}

function go({ within, line, column }) {
  const text = at(within);
  text.closest("details")?.setAttribute("open", "");
  text.focus();
  if (!hasPlace({ line })) return;
  const lines = text.value.split("\n");
  const before = Array.from(lines[line - 1] ?? "").slice(0, column - 1).join("");
  const start = lines.slice(0, line - 1).reduce((sum, line) => sum + line.length + 1, before.length);
  text.setSelectionRange(start, start);
}

function begin(index) {
  const { name: _, ...fields } = examples[kind()][index];
  for (const [id, text] of Object.entries(fields)) at(id).value = text;
}

// Shows the fields of what is tried, with its examples. What was written into the others stays.
function choose() {
  for (const part of document.querySelectorAll("[data-kind]")) part.hidden = part.dataset.kind !== kind();
  at("example").replaceChildren(...examples[kind()].map(({ name }, index) => new Option(name, index)));
  if (at(kind()).value === "") begin(0);
}

async function start() {
  choose();
  await load();
  await show();
  document.body.dataset.ready = String(Math.round(performance.now()));
  at("example").addEventListener("change", () => {
    begin(Number(at("example").value));
    show();
  });
  for (const radio of document.querySelectorAll("input[name=kind]")) {
    radio.addEventListener("change", () => {
      choose();
      show();
    });
  }
  document.addEventListener("input", (event) => {
    if (event.target.id === "example" || event.target.name === "kind") return;
    clearTimeout(waiting);
    waiting = setTimeout(show, 150);
  });
}

start().catch((error) => say(`The page cannot be used: ${error.message}`));
