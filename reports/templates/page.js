"use strict";
// The switch between Chinese and English, and the button that prints.
(() => {
  const root = document.documentElement;
  const lang = () => root.dataset.lang;
  const wanted = location.hash === "#en" ? "en" : location.hash === "#zh" ? "zh" : null;
  const setLang = (l) => {
    root.dataset.lang = l;
    root.lang = l === "zh" ? "zh-CN" : "en";
    const title = document.querySelector("h1 [lang=" + l + "]") || document.querySelector("h1");
    document.title = title.textContent;
    document.dispatchEvent(new Event("lang"));
  };
  document.getElementById("switch").addEventListener("click", () => setLang(lang() === "zh" ? "en" : "zh"));
  document.getElementById("print").addEventListener("click", () => window.print());
  setLang(wanted || lang());
})();
