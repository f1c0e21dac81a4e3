// The page: it renders a moment after each change, and says what came out.

import { examples } from "./examples.js";
import { load, render } from "./engine.js";

const at = (id) => document.getElementById(id);
const texts = { template: "Template", secrets: "Secrets", variables: "Environment" };

// The error that is shown, for the button that leads to its place.
let shown;
let waiting;
let asked = 0;

function question() {
  return {
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
  const answer = await render(question());
  // A newer question is under way.
  if (turn !== asked) return;
  shown = answer.error === undefined ? undefined : answer;
  for (const id of Object.keys(texts)) mark(at(id), answer.within === id);
  at("error").hidden = !shown;
  at("output").hidden = Boolean(shown);
  if (shown) fail(answer);
  else succeed(answer);
}

function mark(text, wrong) {
  if (wrong) text.setAttribute("aria-invalid", "true");
  else text.removeAttribute("aria-invalid");
}

function succeed(answer) {
  const output = answer.output ?? answer.base64;
  at("output").textContent = output;
  const lines = output === "" ? 0 : output.split("\n").length - (output.endsWith("\n") ? 1 : 0);
  const count = lines === 1 ? "1 line" : `${lines} lines`;
  say(answer.base64 === undefined ? `Rendered: ${count}.` : "Rendered. The output is not text; it is shown in base64.");
}

function fail(answer) {
  const place = answer.line === undefined ? "" : `, line ${answer.line}, column ${answer.column}`;
  at("output").textContent = "";
  at("error-text").textContent = answer.error;
  at("excerpt").textContent = excerpt(answer);
  at("excerpt").hidden = answer.line === undefined;
  at("hint").textContent = `What to do: ${answer.hint}${/[.?!]$/.test(answer.hint) ? "" : "."}`;
  say(`Not rendered. ${texts[answer.within]}${place}: ${answer.error}`);
}

// The line that is wrong, with a mark below it.
function excerpt({ within, line, column }) {
  if (line === undefined) return "";
  const text = at(within).value.split("\n")[line - 1] ?? "";
  const before = Array.from(text).slice(0, column - 1).join("");
  return `${text}\n${before.replace(/[^\t]/gu, " ")}^`;
}

// Only a change is said, so that a screen reader does not repeat itself.
function say(words) {
  if (at("status").textContent !== words) at("status").textContent = words;
}

function go() {
  const text = at(shown.within);
  text.closest("details")?.setAttribute("open", "");
  text.focus();
  if (shown.line === undefined) return;
  const lines = text.value.split("\n");
  const before = Array.from(lines[shown.line - 1] ?? "").slice(0, shown.column - 1).join("");
  const place = lines.slice(0, shown.line - 1).reduce((sum, line) => sum + line.length + 1, before.length);
  text.setSelectionRange(place, place);
}

function begin(index) {
  at("template").value = examples[index].template;
  at("secrets").value = examples[index].secrets;
}

async function start() {
  for (const [index, { name }] of examples.entries()) at("example").append(new Option(name, index));
  begin(0);
  await load();
  await show();
  document.body.dataset.ready = String(Math.round(performance.now()));
  at("example").addEventListener("change", () => {
    begin(Number(at("example").value));
    show();
  });
  at("go").addEventListener("click", go);
  document.addEventListener("input", (event) => {
    if (event.target.id === "example") return;
    clearTimeout(waiting);
    waiting = setTimeout(show, 150);
  });
}

start().catch((error) => say(`The page cannot be used: ${error.message}`));
