"use strict";
(async () => {
  const root = document.getElementById("widget");
  const facts = JSON.parse(document.getElementById("widget-facts").textContent);
  const part = (role) => root.querySelector(`[data-role="${role}"]`);
  const ARRAYS = {
    u8: Uint8Array, s8: Int8Array, u16: Uint16Array, s16: Int16Array, f32: Float32Array,
  };
  const isClass = facts.classes.length > 0;

  function make(name, into, attributes = {}, text = "") {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      made.setAttribute(key, value);
    }
    made.textContent = text;
    into.append(made);
    return made;
  }

  function fail(why) {
    part("badge").className = "badge mismatch";
    part("badge").textContent = why;
  }

  /* Bytes of a zlib stream in base64. */
  async function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  }

  async function samplesOf(packed) {
    return {
      count: packed.count,
      raw: new ARRAYS[packed.type](await unpacked(packed.raw)),
      labels: new ARRAYS[packed.labelType](await unpacked(packed.labels)),
    };
  }

  /* ---- the firmware: firmware/port/startup_wasm.c says what it exports ---- */

  let c, train, test, trainedState;
  try {
    const module = await WebAssembly.compile(await unpacked(facts.module));
    c = (await WebAssembly.instantiate(module, {})).exports;
    train = await samplesOf(facts.train);
    test = await samplesOf(facts.test);
    trainedState = new Uint8Array(await unpacked(facts.state));
  } catch (error) {
    fail(`this browser cannot run it: ${error.message}`);
    return;
  }
  const view = (type, address, count) => new ARRAYS[type](c.memory.buffer, address, count);
  const raw = view(facts.types.raw, c.raw(), facts.nIn);
  const label = view(facts.types.label, c.label(), facts.labelCount);
  const state = view("u8", c.state(), c.state_size());

  const digest = () => c.digest() >>> 0;
  const sampleOf = (set, i) => set.raw.subarray(i * facts.nIn, (i + 1) * facts.nIn);
  const labelOf = (set, i) =>
    isClass ? set.labels[i] : set.labels.subarray(i * facts.labelCount, (i + 1) * facts.labelCount);

  function read(sample) {
    raw.set(sample);
    return c.prepare() === 0;
  }

  /* What the firmware says of the sample that was read last. */
  function ask() {
    const outputs = view(facts.types.output, c.outputs(), facts.nOut);
    if (!isClass) {
      return { values: Array.from(view("f32", c.values(), facts.nOut)) };
    }
    const answer = { outputs: Array.from(outputs), class: c.predict(), confidence: null };
    if (facts.hasConfidence) {
      answer.confidence = facts.types.output === "f32" ? c.confidence() : c.confidence() / 32768;
    }
    return answer;
  }

  /* One training step on the sample that was read last. */
  function learn(of) {
    if (isClass) {
      label[0] = of;
    } else {
      view("f32", c.target(), facts.labelCount).set(of);
      if (c.prepare_label() !== 0) {
        return false;
      }
    }
    const taken = c.train_step() === 0;
    lessons += taken ? 1 : 0;
    return taken;
  }

  /* Share of right answers on the test samples of the page, or R squared. */
  function score() {
    let right = 0, residual = 0, spread = 0;
    for (let i = 0; i < test.count; i++) {
      read(sampleOf(test, i));
      if (isClass) {
        right += ask().class === labelOf(test, i) ? 1 : 0;
      } else {
        const values = ask().values;
        labelOf(test, i).forEach((y, k) => {
          residual += (y - values[k]) ** 2;
          spread += (y - means[k]) ** 2;
        });
      }
    }
    return isClass ? right / test.count : 1 - residual / spread;
  }
  const means = Array.from({ length: facts.labelCount }, (_, k) => {
    let sum = 0;
    for (let i = k; i < test.labels.length; i += facts.labelCount) {
      sum += test.labels[i];
    }
    return sum / test.count;
  });

  /* ---- the order of samples: tpsgd_edge/frontend/split.py ---- */

  const PHI = 0x9e3779b9;
  function mix(h) {
    h ^= h >>> 16;
    h = Math.imul(h, 0x7feb352d);
    h ^= h >>> 15;
    h = Math.imul(h, 0x846ca68b);
    return (h ^ (h >>> 16)) >>> 0;
  }
  function orderOf(epoch) {
    const seed = mix(facts.seed + Math.imul(PHI, epoch + 1));
    const base = mix(mix(seed + Math.imul(PHI, 4)) + PHI);
    const words = Uint32Array.from({ length: train.count }, (_, i) => mix(base + Math.imul(PHI, i + 1)));
    return Array.from(words.keys()).sort((a, b) => words[a] - words[b] || a - b);
  }

  /* ---- the curve, and where the training stands ---- */

  let lessons = 0, epochs = 0, curve = [], busy = false, isRenewed = false;

  function note() {
    curve.push([lessons, score()]);
    if (curve.length > 240) {
      curve = curve.filter((_, i) => i % 2 === 0 || i > 200);
    }
    drawCurve();
    const crc = `0x${digest().toString(16).toUpperCase().padStart(8, "0")}`;
    const line = part("state");
    line.textContent = `${lessons.toLocaleString("en")} steps, digest `;
    make("code", line, { "data-role": "digest" }, crc);
    if (digest() === facts.crc) {
      make("span", line, { class: "same", "data-role": "same" }, " ✓ as in this report");
    }
  }

  function drawCurve() {
    const svg = part("curve"), left = 40, right = 312, top = 12, bottom = 160;
    const first = curve[0][0], last = Math.max(curve[curve.length - 1][0], first + 1);
    const low = isClass ? 0 : Math.floor(10 * Math.min(0, ...curve.map(([, value]) => Math.max(value, -1)))) / 10;
    const x = (at) => left + ((right - left) * (at - first)) / (last - first);
    const y = (value) => bottom - ((bottom - top) * (Math.max(value, low) - low)) / (1 - low);
    const word = (value) => (isClass ? `${(100 * value).toFixed(1)} %` : value.toFixed(3));
    const points = curve.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`);
    const [endX, endY] = points[points.length - 1].split(",").map(Number);
    const ticks = (isClass ? [0, 0.25, 0.5, 0.75, 1] : [low, 0.5 + low / 2, 1])
      .map((value) => `<line class="grid" x1="${left}" x2="${right}" y1="${y(value)}" y2="${y(value)}"/>` +
        `<text x="${left - 6}" y="${y(value) + 4}" text-anchor="end">${isClass ? `${100 * value} %` : (value || 0).toFixed(1)}</text>`);
    svg.innerHTML = `${ticks.join("")}<polyline class="line" points="${points.join(" ")}"/>` +
      `<circle cx="${endX}" cy="${endY}" r="3.5"/>` +
      `<text x="${Math.min(endX, right - 20)}" y="${endY > 34 ? endY - 8 : endY + 18}" text-anchor="middle" style="fill: var(--ink); font-weight: 600" data-role="score">${word(curve[curve.length - 1][1])}</text>` +
      `<text x="${left}" y="178">${first.toLocaleString("en")}</text>` +
      `<text x="${(left + right) / 2}" y="178" text-anchor="middle">steps</text>` +
      `<text x="${right}" y="178" text-anchor="end">${last.toLocaleString("en")}</text>`;
  }

  function begin(bytes, epoch, said) {
    if (bytes) {
      state.set(bytes);
    } else {
      c.init();
    }
    lessons = epoch * train.count;
    epochs = epoch;
    isRenewed = false;
    curve = [];
    note();
    show();
    part("said").textContent = said;
  }

  /* A schedule that has come to its end hardly moves the weights any more: it begins again. */
  function renew() {
    if (epochs >= facts.epochs && !isRenewed) {
      c.restart_schedule();
      isRenewed = true;
    }
  }

  const pause = () => new Promise((done) => setTimeout(done, 0));

  async function trainEpoch() {
    if (busy) {
      return;
    }
    busy = true;
    part("train").disabled = true;
    renew();
    const order = orderOf(epochs), stretch = Math.ceil(order.length / 8);
    let spent = 0, from = performance.now(), told = from;
    for (let i = 0; i < order.length; i++) {
      read(sampleOf(train, order[i]));
      learn(labelOf(train, order[i]));
      if ((i + 1) % stretch === 0 || performance.now() - told > 100) {
        spent += performance.now() - from;
        note();
        await pause();
        from = told = performance.now();
      }
    }
    spent += performance.now() - from;
    epochs += 1;
    note();
    show();
    part("said").textContent = `Epoch ${epochs}: ${order.length.toLocaleString("en")} steps, ${((1000 * spent) / order.length).toFixed(1)} µs each in this browser.`;
    busy = false;
    part("train").disabled = false;
  }

  function teach(of) {
    if (busy) {
      return;
    }
    read(current);
    const before = ask();
    renew();
    const taken = learn(of);
    note();
    show();
    const after = ask();
    part("said").textContent = !taken
      ? "The firmware refused it."
      : isClass && facts.hasConfidence
        ? `One step towards ${facts.classes[of]}: ${percent(probability(before, of))} → ${percent(probability(after, of))}.`
        : "One training step.";
  }

  /* ---- the answer ---- */

  const percent = (share) => `${(100 * share).toFixed(share > 0.9995 || share < 0.0005 ? 0 : 1)} %`;

  /* The firmware gives the probability of its answer; those of the others follow from the outputs. */
  function probabilities(answer) {
    const top = Math.max(...answer.outputs);
    const parts = answer.outputs.map((y) => Math.exp((y - top) * facts.oneAnswer));
    const sum = parts.reduce((a, b) => a + b, 0);
    return parts.map((value) => value / sum);
  }
  const probability = (answer, of) =>
    of === answer.class && answer.confidence !== null ? answer.confidence : probabilities(answer)[of];

  const bars = [];
  function makeBars() {
    const into = part("bars");
    if (!isClass) {
      into.className = "values";
      for (let k = 0; k < facts.nOut; k++) {
        make("span", into, {}, facts.nOut > 1 ? `value ${k + 1}` : "right is");
        bars.push(make("input", into, { type: "number", step: "any", "aria-label": `right value ${k + 1}` }));
        const last = k === facts.nOut - 1;
        const button = make(last ? "button" : "span", into, { "data-role": last ? "teach" : "" }, last ? "Teach" : "");
        if (last) {
          button.type = "button";
          button.addEventListener("click", () => teach(bars.map((bar) => Number(bar.value))));
        }
      }
      return;
    }
    into.classList.toggle("many", facts.classes.length > 12);
    into.classList.toggle("named", Math.max(...facts.classes.map((name) => name.length)) > 2);
    facts.classes.forEach((name, k) => {
      const button = make("button", into, { type: "button", title: `One training step towards ${name}`, "data-class": k });
      make("b", button, {}, name);
      const track = make("div", button, { class: "track" });
      bars.push({ button, fill: make("div", track), text: make("em", button) });
      button.addEventListener("click", () => teach(k));
    });
  }

  function show() {
    const isRead = read(current);
    const answer = ask();
    if (!isClass) {
      part("answer").textContent = answer.values.map((value) => value.toPrecision(4)).join(", ");
      part("answer").className = answer.values.length > 1 ? "long" : "";
      part("confidence").textContent = chosen === null ? "" : `the label says ${Array.from(labelOf(test, chosen), (value) => value.toPrecision(4)).join(", ")}`;
      return;
    }
    part("answer").textContent = isRead ? facts.classes[answer.class] : "no number";
    part("answer").className = facts.classes[answer.class].length > 6 ? "long" : "";
    part("confidence").textContent = answer.confidence === null ? "" : `${percent(answer.confidence)} sure`;
    const heights = facts.isDetector ? answer.outputs.map((y) => y / Math.max(1, ...answer.outputs)) : probabilities(answer);
    bars.forEach((bar, k) => {
      bar.fill.style.width = `${Math.max(0, 100 * heights[k]).toFixed(1)}%`;
      bar.text.textContent = facts.isDetector ? answer.outputs[k] : percent(facts.hasConfidence ? probability(answer, k) : heights[k]);
      bar.button.classList.toggle("first", k === answer.class);
      bar.button.classList.toggle("label", chosen !== null && labelOf(test, chosen) === k);
    });
  }

  /* ---- the sample: drawn, bent, or taken ---- */

  let current = new Float32Array(facts.nIn), chosen = null, page = 0;
  let low = Infinity, high = -Infinity;
  for (const value of train.raw) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const share = (value) => (value - low) / (high - low || 1);

  function take(i) {
    chosen = i;
    current = Float32Array.from(sampleOf(test, i));
    if (!isClass) {
      bars.forEach((bar, k) => (bar.value = labelOf(test, i)[k]));
    }
    input.show();
    show();
    part("said").textContent = isClass ? `A test sample; its label is ${facts.classes[labelOf(test, i)]}.` : "A test sample.";
    mark();
  }

  function changed(sample) {
    chosen = null;
    current = sample;
    show();
    part("said").textContent = "";
    mark();
  }

  const mark = () =>
    part("samples").querySelectorAll("button").forEach((button) => button.classList.toggle("on", Number(button.dataset.sample) === chosen));

  function paint(canvas, sample) {
    const [height, width, channels] = facts.shape;
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      for (let k = 0; k < 3; k++) {
        image.data[4 * i + k] = 255 * share(sample[i * channels + Math.min(k, channels - 1)]);
      }
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  /*
   * The hand of the data: where the pixels with ink lie in the mean, and how thick the pen is, twice
   * the ink over the length of its edges. What is drawn is moved and scaled to it.
   */
  function handOf() {
    const [height, width] = facts.shape, count = Math.min(train.count, 400);
    let border = 0, box = [0, 0, 0, 0], ink = 0, edges = 0, used = 0;
    for (let i = 0; i < count; i++) {
      const sample = sampleOf(train, i);
      for (let column = 0; column < width; column++) {
        border += share(sample[column]) + share(sample[(height - 1) * width + column]);
      }
    }
    const isDark = border / (2 * width * count) > 0.5;
    const at = (sample, row, column) => {
      const value = row < 0 || column < 0 || row >= height || column >= width ? (isDark ? 1 : 0) : share(sample[row * width + column]);
      return isDark ? 1 - value : value;
    };
    for (let i = 0; i < count; i++) {
      const sample = sampleOf(train, i);
      let [top, bottom, left, right] = [height, -1, width, -1];
      for (let row = 0; row <= height; row++) {
        for (let column = 0; column <= width; column++) {
          const here = at(sample, row, column);
          ink += here;
          edges += Math.abs(here - at(sample, row - 1, column)) + Math.abs(here - at(sample, row, column - 1));
          if (here > 0.3) {
            [top, bottom] = [Math.min(top, row), Math.max(bottom, row + 1)];
            [left, right] = [Math.min(left, column), Math.max(right, column + 1)];
          }
        }
      }
      if (bottom > 0) {
        used += 1;
        [top, bottom, left, right].forEach((value, k) => (box[k] += value));
      }
    }
    return { isDark, box: box.map((sum) => sum / (used || 1)), pen: Math.max(0.8, (2 * ink) / (0.79 * edges || 1)) };
  }

  function imageInput() {
    const [height, width, channels] = facts.shape, into = part("input");
    into.className = "draw";
    const pad = make("canvas", into, { class: "pad", width: 400, height: 400, "data-role": "pad" });
    const figure = make("figure", into);
    make("figcaption", figure, {}, "as it is read");
    const eye = make("canvas", figure, { class: "eye" });
    const hand = channels === 1 ? handOf() : null;
    const context = pad.getContext("2d");
    let strokes = [];

    function trace(on, x, y, pen) {
      on.lineCap = on.lineJoin = "round";
      on.lineWidth = pen;
      on.strokeStyle = "#fff";
      for (const stroke of strokes) {
        on.beginPath();
        on.moveTo(x(stroke[0][0]), y(stroke[0][1]));
        stroke.forEach((point) => on.lineTo(x(point[0]) + 0.01, y(point[1])));
        on.stroke();
      }
    }

    function read() {
      const fine = 8, small = document.createElement("canvas");
      [small.width, small.height] = [width * fine, height * fine];
      const points = strokes.flat(), xs = points.map((point) => point[0]), ys = points.map((point) => point[1]);
      const [left, right] = [Math.min(...xs), Math.max(...xs)], [above, below] = [Math.min(...ys), Math.max(...ys)];
      const [top, bottom, first, last] = hand.box;
      const scale = Math.min((last - first - hand.pen) / (right - left || 1e-9), (bottom - top - hand.pen) / (below - above || 1e-9), (bottom - top) / 60);
      const x = (value) => fine * ((first + last) / 2 + scale * (value - (left + right) / 2));
      const y = (value) => fine * ((top + bottom) / 2 + scale * (value - (above + below) / 2));
      const on = small.getContext("2d", { willReadFrequently: true });
      trace(on, x, y, hand.pen * fine);
      const alpha = on.getImageData(0, 0, width * fine, height * fine).data;
      const sample = new Float32Array(facts.nIn);
      for (let row = 0; row < height * fine; row++) {
        for (let column = 0; column < width * fine; column++) {
          sample[Math.floor(row / fine) * width + Math.floor(column / fine)] += alpha[4 * (row * width * fine + column) + 3];
        }
      }
      return sample.map((sum) => {
        const ink = sum / (255 * fine * fine), value = low + (high - low) * (hand.isDark ? 1 - ink : ink);
        return facts.types.raw === "f32" && train.raw instanceof Float32Array ? value : Math.round(value);
      });
    }

    function drawn() {
      context.fillStyle = "#000";
      context.fillRect(0, 0, 400, 400);
      trace(context, (value) => 4 * value, (value) => 4 * value, 30);
      const sample = strokes.length ? read() : new Float32Array(facts.nIn).fill(hand && hand.isDark ? high : low);
      paint(eye, sample);
      changed(sample);
    }

    const place = (event) => {
      const frame = pad.getBoundingClientRect();
      return [(100 * (event.clientX - frame.left)) / frame.width, (100 * (event.clientY - frame.top)) / frame.height];
    };
    if (hand) {
      pad.addEventListener("pointerdown", (event) => {
        pad.setPointerCapture(event.pointerId);
        strokes = chosen === null ? strokes : [];
        strokes.push([place(event)]);
        drawn();
      });
      pad.addEventListener("pointermove", (event) => {
        if (event.buttons && strokes.length && pad.hasPointerCapture(event.pointerId)) {
          strokes[strokes.length - 1].push(place(event));
          drawn();
        }
      });
    }
    return {
      show() {
        strokes = [];
        paint(eye, current);
        context.imageSmoothingEnabled = false;
        context.drawImage(eye, 0, 0, 400, 400);
      },
      clear() {
        strokes = [];
        drawn();
      },
      sample(button, i) {
        paint(make("canvas", button), sampleOf(test, i));
      },
    };
  }

  function lines(canvas, sample, detailed) {
    const [count, channels] = facts.shape, context = canvas.getContext("2d");
    const colours = ["#1d5fd0", "#e0952b", "#159a6c", "#b06aa8", "#6a5fd0", "#2f8fd8"];
    const span = Math.max(high, -low) || 1, base = low < 0 ? -span : low;
    context.clearRect(0, 0, canvas.width, canvas.height);
    for (let k = 0; k < channels; k++) {
      context.strokeStyle = colours[k];
      context.lineWidth = detailed ? 3 : 2;
      context.beginPath();
      for (let t = 0; t < count; t++) {
        const y = canvas.height * (0.96 - (0.92 * (sample[t * channels + k] - base)) / (high - base || 1));
        context.lineTo((canvas.width * (t + 0.5)) / count, y);
      }
      context.stroke();
    }
    return base;
  }

  function sequenceInput() {
    const [count, channels] = facts.shape;
    const pad = make("canvas", part("input"), { class: "trace", width: 520, height: 340, "data-role": "pad" });
    const bend = (event) => {
      const frame = pad.getBoundingClientRect(), base = lines(pad, current, true);
      const t = Math.min(count - 1, Math.max(0, Math.floor((count * (event.clientX - frame.left)) / frame.width)));
      const up = (0.96 - (event.clientY - frame.top) / frame.height) / 0.92;
      const sample = Float32Array.from(current), value = base + Math.min(1, Math.max(0, up)) * (high - base);
      sample[t * channels] = train.raw instanceof Float32Array ? value : Math.round(value);
      changed(sample);
      lines(pad, sample, true);
    };
    pad.addEventListener("pointerdown", (event) => {
      pad.setPointerCapture(event.pointerId);
      bend(event);
    });
    pad.addEventListener("pointermove", (event) => event.buttons && bend(event));
    return {
      show: () => lines(pad, current, true),
      clear() {
        changed(new Float32Array(facts.nIn));
        lines(pad, current, true);
      },
      sample(button, i) {
        lines(make("canvas", button, { width: 76, height: 76 }), sampleOf(test, i), false);
      },
    };
  }

  function tableInput() {
    const into = part("input"), sliders = [], isWhole = !(train.raw instanceof Float32Array);
    const means = new Float32Array(facts.nIn);
    into.className = "sliders";
    for (let k = 0; k < facts.nIn; k++) {
      let least = Infinity, most = -Infinity, sum = 0;
      for (let i = k; i < train.raw.length; i += facts.nIn) {
        least = Math.min(least, train.raw[i]);
        most = Math.max(most, train.raw[i]);
        sum += train.raw[i];
      }
      means[k] = sum / train.count;
      const row = make("label", into, {}, `input ${k + 1}`);
      const slider = make("input", row, { type: "range", min: least, max: most, step: isWhole ? 1 : "any" });
      sliders.push({ slider, text: make("output", row) });
      slider.addEventListener("input", () => {
        const sample = Float32Array.from(current);
        sample[k] = Number(slider.value);
        sliders[k].text.textContent = Number(sample[k].toPrecision(4));
        changed(sample);
      });
    }
    const show = () =>
      sliders.forEach(({ slider, text }, k) => {
        slider.value = current[k];
        text.textContent = Number(current[k].toPrecision(4));
      });
    return {
      show,
      clear() {
        changed(Float32Array.from(means));
        show();
      },
      sample: (button, i) =>
        make("span", button, {}, isClass ? facts.classes[labelOf(test, i)] : Array.from(labelOf(test, i), (value) => value.toPrecision(3)).join(", ")),
    };
  }

  function showSamples() {
    const into = part("samples"), shown = facts.look === "table" ? 8 : 12;
    into.textContent = "";
    for (let k = 0; k < Math.min(shown, test.count); k++) {
      const i = (page * shown + k) % test.count;
      const button = make("button", into, { type: "button", "data-sample": i });
      input.sample(button, i);
      button.addEventListener("click", () => take(i));
    }
    mark();
  }

  function download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([state.slice()], { type: "application/octet-stream" }));
    link.download = `${facts.name}-weights.bin`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    part("said").textContent = `The bytes of struct ${facts.name}_model: tpsgd-edge export, simulate and verify read them (--model-id ${facts.modelId}).`;
  }

  /* ---- the beginning ---- */

  const input = { image: imageInput, sequence: sequenceInput, table: tableInput }[facts.look]();
  makeBars();
  const passed = c.selftest() === 0;
  part("badge").className = `badge ${passed ? "equal" : "mismatch"}`;
  part("badge").textContent = passed ? "self-test passed in this browser" : "self-test failed";
  part("train").addEventListener("click", trainEpoch);
  part("fresh").addEventListener("click", () => busy || begin(null, 0, "Weights as drawn from the seed: it knows nothing yet."));
  part("trained").addEventListener("click", () => busy || begin(trainedState, facts.epochs, "As the training of this report left it."));
  part("download").addEventListener("click", download);
  part("clear").addEventListener("click", () => input.clear());
  part("more").addEventListener("click", () => {
    page += 1;
    showSamples();
  });
  showSamples();
  take(0);
  begin(trainedState, facts.epochs, part("said").textContent);
})();
