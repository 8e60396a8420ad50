// Gives figures the colours of the page, light or dark, and those of paper where it is printed.
{
  const paint = printing => {
    const text = printing ? "#000000" : getComputedStyle(document.body).color;
    for (const plot of document.querySelectorAll(".js-plotly-plot")) {
      const change = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", "font.color": text };
      for (const axis of Object.keys(plot._fullLayout).filter(name => /^[xy]axis\d*$/.test(name)))
        for (const what of ["grid", "zeroline", "line"]) change[`${axis}.${what}color`] = "rgba(128,128,128,0.35)";
      Plotly.relayout(plot, change);
    }
  };
  paint(false);
  new MutationObserver(() => paint(false)).observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
  window.addEventListener("beforeprint", () => paint(true));
  window.addEventListener("afterprint", () => paint(false));
}
