"use strict";
(() => {
  const view = document.querySelector(".bowl");
  const flat = document.getElementById("bowl-flat");
  const probe = document.createElement("canvas");
  const works = probe.getContext("webgl2") || probe.getContext("webgl");
  if (!works || typeof Plotly === "undefined") {
    flat.textContent = flat.textContent.replace("without script", "in a browser without WebGL");
    document.getElementById("bowl-above").open = true;
    return; // the drawings from above say the same
  }
  works.getExtension("WEBGL_lose_context")?.loseContext();
  flat.hidden = true;
  view.hidden = false;

  const bowls = JSON.parse(document.getElementById("bowl-data").textContent);
  const holder = document.getElementById("bowl");
  const words = document.getElementById("bowl-words");
  const choice = document.getElementById("bowl-budget");
  const start = { around: -0.9, up: 0.55 };
  // On a phone there is no room for the scale of colours; the axis tells the same.
  const narrow = holder.clientWidth < 520;
  const distance = narrow ? 2.9 : 2.25;
  let place = { ...start };

  const eye = ({ around, up }) => ({
    x: distance * Math.cos(up) * Math.cos(around),
    y: distance * Math.cos(up) * Math.sin(around),
    z: distance * Math.sin(up),
  });
  const camera = () => ({ eye: eye(place), center: { x: 0, y: 0, z: -0.18 }, up: { x: 0, y: 0, z: 1 } });

  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    return { ink: of("--ink"), quiet: of("--quiet"), line: of("--line"), paper: of("--paper") };
  };
  const axis = (title, paint, more) => ({
    title: { text: title, font: { color: paint.ink, size: 13 } },
    color: paint.quiet, gridcolor: paint.line, zerolinecolor: paint.line, linecolor: paint.line,
    showbackground: false, showspikes: false, ...more,
  });
  const about = "%{x:.3g} bytes per token<br>%{y:.3g} bytes per parameter<br>%{z:.4f} bits per byte";

  const draw = () => {
    const bowl = bowls[Number(choice.value)];
    const paint = colours();
    const floor = bowl.range[0];
    const heat = { colorscale: "Cividis", cmin: bowl.range[0], cmax: bowl.range[1] };
    const traces = [
      { type: "surface", x: bowl.x, y: bowl.y, z: bowl.z, opacity: 0.82, ...heat, showscale: !narrow,
        hovertemplate: `fitted<br>${about}<extra></extra>`,
        contours: { z: { show: true, usecolormap: false, color: paint.line, width: 1,
          start: bowl.lowest, end: bowl.range[1], size: 0.02 } },
        lighting: { ambient: 0.85, diffuse: 0.3, specular: 0.02 },
        colorbar: { title: { text: "bits per byte", side: "right", font: { color: paint.ink } },
          tickfont: { color: paint.quiet }, thickness: 12, len: 0.7, outlinewidth: 0 } },
      { type: "scatter3d", mode: "markers", ...bowl.points,
        hovertemplate: `a trained model<br>${about}<extra></extra>`,
        marker: { size: 4, color: bowl.points.z, ...heat, line: { color: paint.ink, width: 1 } } },
    ];
    const annotations = [];
    if (bowl.optimum) { // none where it lies outside what was trained
      const [t, rho, best] = bowl.optimum;
      traces.push(
        { type: "scatter3d", mode: "lines", x: [t, t], y: [rho, rho], z: [floor, best],
          hoverinfo: "skip", line: { color: "#d55e00", width: 5 } },
        { type: "scatter3d", mode: "markers", x: [t], y: [rho], z: [best],
          hovertemplate: `lowest place<br>${about}<extra></extra>`,
          marker: { symbol: "diamond", size: 7, color: "#d55e00", line: { color: paint.paper, width: 1 } } },
      );
      annotations.push({ x: Math.log10(t), y: Math.log10(rho), z: best, ax: 0, ay: -52,
        text: `T* ${bowl.said[0]}, \u03c1* ${bowl.said[1]}`, font: { color: paint.ink, size: 13 },
        bgcolor: paint.paper, bordercolor: paint.quiet, borderpad: 3, arrowcolor: "#d55e00", arrowwidth: 2 });
    }
    const ticks = (values) => ({ type: "log", tickmode: "array", tickvals: values, ticktext: values.map(String) });
    const layout = {
      autosize: true, showlegend: false, margin: { l: 0, r: 0, t: 0, b: 0 },
      paper_bgcolor: "rgba(0,0,0,0)", font: { family: "system-ui, sans-serif", size: 12 },
      scene: {
        camera: camera(), aspectmode: "manual", aspectratio: { x: 1.25, y: 1.25, z: 0.8 },
        dragmode: "turntable",
        annotations,
        xaxis: axis("bytes per token", paint, ticks(bowl.x_ticks)),
        yaxis: axis("bytes per parameter", paint, ticks(bowl.y_ticks)),
        zaxis: axis("bits per byte", paint, { nticks: 5, range: bowl.range }),
      },
    };
    const settings = { displaylogo: false, displayModeBar: false, responsive: true, scrollZoom: false, showTips: false };
    words.textContent = bowl.words;
    return Plotly.react(holder, traces, layout, settings);
  };

  const turn = (around, up) => {
    place.around += around;
    place.up = Math.min(1.5, Math.max(0.02, place.up + up));
    Plotly.relayout(holder, { "scene.camera": camera() });
  };
  draw().then(() => {
    holder.dataset.drawn = "";
    // A drag leaves the camera elsewhere; buttons and keys go on from there.
    holder.on("plotly_relayout", (change) => {
      const moved = change["scene.camera"]?.eye;
      if (!moved) return;
      place = { around: Math.atan2(moved.y, moved.x), up: Math.atan2(moved.z, Math.hypot(moved.x, moved.y)) };
    });
  });
  choice.addEventListener("change", draw);
  const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  holder.addEventListener("keydown", (event) => {
    const step = keys[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    turn(0.12 * step[0], 0.1 * step[1]);
  });
  for (const button of view.querySelectorAll("[data-turn]")) {
    button.addEventListener("click", () => {
      const [around, up] = button.dataset.turn.split(" ").map(Number);
      if (button.dataset.turn) turn(0.35 * around, 0.3 * up);
      else { place = { ...start }; turn(0, 0); }
    });
  }
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
