// Runs on every page of the site: loads vega only where a page has pictures that may be charts.
if (document.querySelector('img[src$=".svg"]') !== null) {
  const script = document.createElement("script");
  script.src = document.currentScript.src.replace("custom.js", "charts.js");
  document.head.append(script);
}
