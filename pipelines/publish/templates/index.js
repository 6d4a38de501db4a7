
(function () {
  var news = document.querySelectorAll("[data-told]"), last = null;
  try {
    last = localStorage.getItem("sitewatch-visit:" + location.pathname);
    localStorage.setItem("sitewatch-visit:" + location.pathname, document.documentElement.dataset.made);
  } catch (error) { /* a browser that keeps nothing: what is marked as new stays marked */ }
  if (last === null) { return; }
  document.getElementById("since").textContent = "since your last visit";
  news.forEach(function (item) { item.classList.toggle("new", item.dataset.told > last); });
})();
