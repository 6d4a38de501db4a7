(function () {
  var range = document.getElementById("divider"), pair = document.getElementById("pair");
  function show() {
    pair.style.setProperty("--p", range.value + "%");
    range.setAttribute("aria-valuetext", "before on the left " + range.value + " percent, after on the right");
  }
  range.addEventListener("input", show);
  document.documentElement.classList.add("live");
  show();
})();
