"use strict";
// Shows the question at hand, sends an answer, shows the next. An answer is sent once: none is while one is on its way.

const KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "equal", s: "skip", S: "skip" };
const at = (id) => document.getElementById(id);
let question = null;
let waiting = false;

async function ask(address, options) {
  waiting = true;
  try {
    const said = await fetch(address, options);
    if (said.status === 409) return await ask("/question");  // answered in another window
    if (!said.ok) throw new Error(`the server said ${said.status}`);
    show(await said.json());
    at("fault").textContent = "";
  } catch (fault) {
    at("fault").textContent = `Not kept: ${fault.message}. Is metairl prefer still running?`;
  } finally {
    waiting = false;
  }
}

function show(state) {
  const open = "left" in state;
  question = open ? state.number : null;
  at("count").textContent = open ? `${state.number + 1} of ${state.of}` : "All are answered. Thank you.";
  for (const side of ["left", "right"]) {
    if (open) at(`${side}-clip`).src = state[side];
  }
  at("clips").hidden = at("others").hidden = !open;
}

function answer(word) {
  if (waiting || question === null) return;
  const body = JSON.stringify({ number: question, answer: word });
  ask("/answer", { method: "POST", headers: { "Content-Type": "application/json" }, body });
}

for (const word of ["left", "right", "equal", "skip"]) at(word).addEventListener("click", () => answer(word));
document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  event.preventDefault();
  answer(KEYS[event.key]);
});
ask("/question");
