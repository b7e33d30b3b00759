"use strict";
// Makes the picture of a brain interactive when a reader asks for it, or scrolls to the first one.
(() => {
  const figures = [...document.querySelectorAll("figure[data-brain]")];
  const webgl = () => !!document.createElement("canvas").getContext("webgl2");
  if (!figures.length || typeof DecompressionStream === "undefined" || !webgl()) return;
  const MOST = 4; // open viewers: browsers allow few WebGL contexts
  const open = [];
  let library = null;

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const load = () => (library ??= new Promise((done, fail) => {
    const script = document.createElement("script");
    const inside = document.getElementById("niivue");
    const finish = () => (globalThis.niivue ? done(globalThis.niivue) : fail(new Error("the viewer could not be loaded")));
    if (!inside) {
      script.src = "niivue.js";
      script.onload = finish;
      script.onerror = finish;
      document.head.append(script);
      return;
    }
    const packed = new Blob([bytes(inside.textContent.trim())]).stream();
    new Response(packed.pipeThrough(new DecompressionStream("gzip"))).text().then((text) => {
      script.textContent = text;
      document.head.append(script);
      finish();
    }, fail);
  }));

  const element = (name, attributes = {}, ...children) => {
    const made = Object.assign(document.createElement(name), attributes);
    made.append(...children);
    return made;
  };
  const slider = (label, low, high, step, value) => {
    const input = element("input", { type: "range", min: low, max: high, step, value });
    const shown = element("output");
    return { input, shown, row: element("label", {}, element("span", { textContent: label }), input, shown) };
  };
  const percent = (share) => (share <= 0 ? "0 %" : share < 0.0001 ? "< 0.01 %" : `${(100 * share).toPrecision(2)} %`);
  // Share of healthy voxels above a value of the map, on a logarithmic scale between the stored values.
  const rate = (rates, z) => {
    if (!rates.length) return null;
    if (z <= rates[0][0]) return { share: rates[0][1], bound: "at least " };
    const next = rates.findIndex(([value]) => value >= z);
    if (next < 0) return { share: rates[rates.length - 1][1], bound: "below " };
    const [[a, p], [b, q]] = [rates[next - 1], rates[next]];
    return { share: b === a ? q : Math.exp(Math.log(p) + ((z - a) / (b - a)) * (Math.log(q) - Math.log(p))), bound: "" };
  };

  const shut = (figure) => {
    const viewer = figure.viewer;
    if (!viewer) return;
    figure.viewer = null;
    open.splice(open.indexOf(figure), 1);
    viewer.nv.gl?.getExtension("WEBGL_lose_context")?.loseContext();
    viewer.stage.remove();
    viewer.controls.remove();
    figure.classList.remove("open");
    figure.querySelector(".stage").hidden = false;
    figure.querySelector(".explore").hidden = false;
  };

  const start = async (figure, focus) => {
    if (figure.viewer || figure.starting) return;
    figure.starting = true;
    const button = figure.querySelector(".explore");
    const name = button.textContent;
    button.textContent = "loading …";
    try {
      const { Niivue, NVImage } = await load();
      const brain = JSON.parse(document.getElementById(figure.dataset.brain).textContent);
      await show(figure, brain, Niivue, NVImage, focus);
    } catch (error) {
      button.textContent = "not possible in this browser";
      console.warn(error);
      figure.starting = false;
      return;
    }
    button.textContent = name;
    figure.starting = false;
  };

  const show = async (figure, brain, Niivue, NVImage, focus) => {
    while (open.length >= MOST) shut(open[0]);
    const who = figure.querySelector(".who").textContent;
    const canvas = element("canvas", { tabIndex: 0 });
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", `Slices of ${who}. Arrow keys and page keys move, m map, l lesion, plus and minus threshold, home maximum.`);
    const stage = element("div", { className: "live" }, canvas);
    const poster = figure.querySelector(".stage");
    poster.after(stage);
    poster.hidden = true;
    figure.classList.add("open");
    const nv = new Niivue({
      isRadiologicalConvention: true, sagittalNoseLeft: true, multiplanarShowRender: 0, multiplanarLayout: 3,
      multiplanarPadPixels: 4, backColor: [0, 0, 0, 1], crosshairColor: [0.25, 0.88, 0.91, 0.55], crosshairWidth: 0.2,
      fontSizeScaling: 0.35, dragAndDropEnabled: false, logLevel: "error", show3Dcrosshair: false, isColorbar: false,
      viewModeHotKey: "", clipPlaneHotKey: "", cycleClipPlaneHotKey: "", doubleTouchTimeout: 0,
    });
    await nv.attachToCanvas(canvas, false);
    nv.setSliceType(nv.sliceTypeMultiplanar);
    nv.addColormap("anomaly", { R: [176, 176, 240, 255], G: [24, 24, 112, 228], B: [24, 24, 28, 92], A: [0, 255, 255, 255], I: [0, 1, 128, 255] });
    nv.addColormap("outline", { R: [0, 63], G: [0, 224], B: [0, 232], A: [0, 255], I: [0, 255] });
    const layer = (data, file, options) => NVImage.loadFromBase64({ base64: data, name: file, ...options });
    const images = await Promise.all(brain.images.map(({ data }, number) =>
      layer(data, `image${number}.nii.gz`, { colormap: "gray", cal_min: 0, cal_max: 255, opacity: number ? 0 : 1 })));
    const map = await layer(brain.map, "map.nii.gz", { colormap: "anomaly", cal_min: brain.threshold, cal_max: brain.top, opacity: 0.7 });
    const lesion = brain.lesion ? await layer(brain.lesion, "lesion.nii.gz", { colormap: "outline", cal_min: 0.5, cal_max: 1, opacity: 1 }) : null;
    for (const one of [...images, map, ...(lesion ? [lesion] : [])]) nv.addVolume(one);
    const at = (one) => nv.volumes.indexOf(one);
    const home = () => {
      nv.scene.crosshairPos = nv.vox2frac(brain.peak);
      nv.drawScene();
    };

    const controls = element("div", { className: "controls" });
    const modalities = brain.images.map(({ name }, number) => {
      const radio = element("input", { type: "radio", name: `modality ${figure.dataset.brain}`, checked: !number });
      radio.addEventListener("change", () => pick(number));
      return { radio, label: element("label", {}, radio, element("span", { textContent: name })) };
    });
    const pick = (number) => {
      modalities[number].radio.checked = true;
      images.forEach((one, other) => nv.setOpacity(at(one), other === number ? 1 : 0));
    };
    const mapped = element("input", { type: "checkbox", checked: true });
    const outlined = element("input", { type: "checkbox", checked: true });
    const opacity = slider("opacity", 0, 1, 0.05, 0.7);
    const limit = slider("threshold, z", 0, brain.top.toFixed(2), 0.05, brain.threshold);
    const update = () => {
      const z = Number(limit.input.value);
      map.cal_min = z;
      map.opacity = mapped.checked ? Number(opacity.input.value) : 0;
      if (lesion) lesion.opacity = outlined.checked ? 1 : 0;
      nv.updateGLVolume();
      opacity.shown.textContent = `${Math.round(100 * opacity.input.value)} %`;
      const known = rate(brain.rates, z);
      limit.shown.textContent = z.toFixed(2) + (known ? ` · ${known.bound}${percent(known.share)} of healthy voxels lie above` : "");
    };
    for (const input of [mapped, outlined, opacity.input, limit.input]) input.addEventListener("input", update);
    const group = element("fieldset", {}, element("legend", { textContent: "image" }), ...modalities.map((one) => one.label));
    const close = element("button", { type: "button", textContent: "picture" });
    const peak = element("button", { type: "button", textContent: "maximum" });
    close.setAttribute("aria-label", `picture of ${who}`);
    close.addEventListener("click", () => shut(figure));
    peak.addEventListener("click", home);
    controls.append(group, element("label", {}, mapped, element("span", { textContent: "map" })));
    if (lesion) controls.append(element("label", {}, outlined, element("span", { textContent: "lesion" })));
    controls.append(opacity.row, limit.row, peak, close, element("p", { textContent: "Click, then drag or turn the wheel. Keys: arrows, page up and down, m, l, + and −, 1 to 4, home." }));
    stage.after(controls);

    // The wheel turns slices only after a click: otherwise it scrolls the page.
    stage.addEventListener("wheel", (event) => {
      if (document.activeElement !== canvas) event.stopPropagation();
    }, { capture: true });
    const toggle = (box) => { box.checked = !box.checked; update(); };
    const change = (step) => { limit.input.value = Number(limit.input.value) + step; update(); };
    const moves = {
      ArrowLeft: [1, 0, 0], ArrowRight: [-1, 0, 0], ArrowUp: [0, 1, 0], ArrowDown: [0, -1, 0], PageUp: [0, 0, 1], PageDown: [0, 0, -1],
    };
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const number = Number(event.key) - 1;
      if (moves[event.key]) nv.moveCrosshairInVox(...moves[event.key]);
      else if (event.key === "m") toggle(mapped);
      else if (event.key === "l" && lesion) toggle(outlined);
      else if (event.key === "+" || event.key === "=") change(0.25);
      else if (event.key === "-") change(-0.25);
      else if (event.key === "Home") home();
      else if (number >= 0 && number < modalities.length) pick(number);
      else return;
      event.preventDefault();
      event.stopImmediatePropagation();
    }, { capture: true });

    figure.viewer = { nv, stage, controls };
    open.push(figure);
    figure.querySelector(".explore").hidden = true;
    update();
    home();
    if (focus) canvas.focus({ preventScroll: true });
    figure.dataset.ready = "yes";
  };

  for (const figure of figures) {
    const button = element("button", { type: "button", className: "explore", textContent: "explore in three planes" });
    button.setAttribute("aria-label", `explore in three planes: ${figure.querySelector(".who").textContent}`);
    button.addEventListener("click", () => start(figure, true));
    figure.querySelector(".stage").after(button);
  }
  const seen = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    seen.disconnect();
    start(figures[0], false);
  });
  seen.observe(figures[0]);
  addEventListener("beforeprint", () => [...open].forEach(shut));
})();
