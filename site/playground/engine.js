// Leasehold's renderer and its checks as WebAssembly. It takes a question and returns an answer; crates/playground/README.md says what is
// in them. It has no imports, so it can reach nothing but its own memory.

let compiled;
let instance;

export async function load() {
  const response = await fetch(new URL("playground.wasm", import.meta.url));
  if (!response.ok) throw new Error(`playground.wasm: the server answered ${response.status}`);
  compiled = await WebAssembly.compile(await response.arrayBuffer());
  instance = await WebAssembly.instantiate(compiled, {});
}

export async function render(question) {
  const whole = { now: String(Date.now()), seed: seed(), ...question };
  try {
    return ask(new TextEncoder().encode(JSON.stringify(whole)));
  } catch (trap) {
    // What the instance holds may be half changed.
    instance = await WebAssembly.instantiate(compiled, {});
    return {
      error: `the browser stopped the work (${trap.message})`,
      hint: "make it nest less; the program `leasehold` has more room than a browser",
      within: question.kind ?? "template",
    };
  }
}

function ask(bytes) {
  const { memory, question, render, answer, forget } = instance.exports;
  const room = question(bytes.length) >>> 0;
  new Uint8Array(memory.buffer, room, bytes.length).set(bytes);
  const length = render() >>> 0;
  // The memory may have grown, and then its buffer is another one.
  const said = new TextDecoder().decode(new Uint8Array(memory.buffer, answer() >>> 0, length));
  forget();
  return JSON.parse(said);
}

function seed() {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
