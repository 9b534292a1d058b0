"use strict";
// The filters of the tables. Without this script the forms stay hidden and every row is there.
for (const form of document.querySelectorAll("form.filter")) {
  const rows = [...document.getElementById(form.dataset.for).tBodies[0].rows];
  const words = rows.map((row) => row.textContent.toLowerCase());
  const [text, tick] = form.querySelectorAll("input");
  const said = form.querySelector("output");
  const narrow = () => {
    const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    rows.forEach((row, i) => {
      const fits = wanted.every((word) => words[i].includes(word)) && !(tick && tick.checked && row.classList.contains("fine"));
      row.hidden = !fits;
      left += fits;
    });
    said.textContent = left === rows.length ? `${rows.length} rows` : `${left} of ${rows.length} rows`;
  };
  form.addEventListener("input", narrow);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  narrow();
}
// On paper there is nothing to open.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
