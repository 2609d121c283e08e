/** The charts of the latency page.  Their numbers stand in the tables below them. */

import * as Plot from "@observablehq/plot";
import { load } from "./data.js";
import { seconds } from "./dom.js";

interface Dot {
  path: string;
  framework: string;
  s: number;
}

interface Transfer extends Dot {
  what: string;
  to: "python" | "r";
  n: number;
}

interface Latency {
  call: Dot[];
  start: Dot[];
  transfer: Transfer[];
  memory: { path: string; framework: string; mb: number }[];
}

const SERIES = Array.from({ length: 8 }, (_, n) => `var(--series-${n})`);
const STYLE = { background: "none", overflow: "visible" };

/** Times as people say them, at the powers of ten. */
const time = (value: number): string => seconds(value).replace(/\.0 /u, " ");

async function draw(): Promise<void> {
  const data = await load<Latency>("latency", "data/latency.js");
  if (!data) return;
  const makers: Record<string, (width: number) => Element> = {
    call: (width) => dots(data.call.map(({ path, s }) => ({ path, x: s })), width, {
      type: "log", label: "time of one call", tickFormat: time, grid: true,
      ticks: decades(data.call.map((dot) => dot.s)),
    }, (x) => time(x)),
    start: (width) => dots(data.start.map(({ path, s }) => ({ path, x: s })), width, {
      label: "seconds more than Python alone", grid: true, zero: true,
    }, (x) => `${x < 0 ? "−" : "+"}${time(Math.abs(x))}`),
    transfer: (width) => transfers(data.transfer, width),
    memory: (width) => dots(data.memory.map(({ path, mb }) => ({ path, x: mb })), width, {
      label: "MB more than Python alone", grid: true, zero: true,
    }, (x) => `${x < 0 ? "−" : "+"}${Math.abs(x).toFixed(0)} MB`),
  };
  const render = (): void => {
    for (const figure of document.querySelectorAll<HTMLElement>("figure[data-chart]")) {
      const make = makers[figure.dataset["chart"] ?? ""];
      const place = figure.querySelector<HTMLElement>(".chart");
      if (!make || !place) continue;
      const width = Math.max(440, Math.min(place.clientWidth, 900));
      const made = make(width);
      // Its style stands in the page's own sheet: a policy of the page forbids others.
      made.querySelectorAll("style").forEach((style) => style.remove());
      // To a screen reader it is one picture with one text.
      made.querySelectorAll("g[aria-label]").forEach((part) => part.removeAttribute("aria-label"));
      made.setAttribute("role", "img");
      place.replaceChildren(made);
    }
    document.documentElement.dataset["ready"] = "";
  };
  render();
  let last = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== last) {
      last = innerWidth;
      render();
    }
  });
}

/** The powers of ten between the least and the greatest of some times. */
function decades(values: number[]): number[] {
  const [first, last] = [Math.min(...values), Math.max(...values)].map(Math.log10) as [number, number];
  const from = Math.ceil(first);
  return Array.from({ length: Math.max(0, Math.floor(last) - from + 1) }, (_, n) => 10 ** (from + n));
}

interface Mark {
  path: string;
  x: number;
}

/** A row for each path, a dot for each framework, and the median in words. */
function dots(
  marks: Mark[],
  width: number,
  x: Plot.ScaleOptions,
  say: (value: number) => string,
): Element {
  const medians = [...Map.groupBy(marks, (mark) => mark.path)].map(([path, group]) => ({
    path,
    x: middle(group.map((mark) => mark.x)),
  }));
  medians.sort((a, b) => a.x - b.x);
  return Plot.plot({
    width,
    marginLeft: 160,
    marginRight: 84,
    marginTop: 8,
    marginBottom: 42,
    height: 50 + medians.length * 26,
    style: STYLE,
    className: "plot",
    ariaLabel: `${x.label ?? ""}, by path: ${medians.map((m) => `${m.path} ${say(m.x)}`).join("; ")}`,
    x: { ...x, labelAnchor: "center", labelArrow: "none", insetLeft: 8, insetRight: 8 },
    y: { domain: medians.map((mark) => mark.path), label: null, tickSize: 0 },
    marks: [
      ...(x.zero ? [Plot.ruleX([0], { stroke: "currentColor", strokeOpacity: 0.5 })] : []),
      Plot.dot(marks, { x: "x", y: "path", r: 3.6, fill: SERIES[0], fillOpacity: 0.45 }),
      Plot.tickX(medians, { x: "x", y: "path", stroke: "currentColor", strokeWidth: 2, inset: 5 }),
      Plot.text(medians, {
        y: "path", frameAnchor: "right", textAnchor: "start", dx: 10,
        text: (mark: Mark) => say(mark.x), fill: "currentColor", fontVariant: "tabular-nums",
      }),
    ],
  });
}

/** Lines by path, one panel for each direction, each line named at its end. */
function transfers(all: Transfer[], width: number): Element {
  const doubles = all.filter((mark) => mark.what === "doubles");
  const points = [...Map.groupBy(doubles, (mark) => `${mark.path}|${mark.to}|${mark.n}`).values()].map(
    (group) => {
      const [first] = group as [Transfer, ...Transfer[]];
      return { path: first.path, to: first.to === "r" ? "to R" : "to Python", n: first.n,
        s: middle(group.map((mark) => mark.s)) };
    },
  );
  const paths = [...new Set(points.map((point) => point.path))].sort();
  const ends = points.filter((point) =>
    points.every((other) => other.path !== point.path || other.to !== point.to || other.n <= point.n));
  return Plot.plot({
    width: Math.max(width, 620),
    height: 440,
    marginLeft: 62,
    marginRight: 24,
    marginBottom: 42,
    style: STYLE,
    className: "plot",
    ariaLabel: `Time of a transfer by number of doubles, for ${paths.join(", ")}; the table below has the numbers`,
    fx: { label: null },
    x: { type: "log", label: "doubles", labelArrow: "none", grid: true, insetRight: 96,
      ticks: [...new Set(points.map((point) => point.n))],
      tickFormat: (n: number) => n.toLocaleString("en", { notation: "compact" }) },
    y: { type: "log", label: "time of one transfer", labelArrow: "none", grid: true, tickFormat: time,
      ticks: decades(points.map((point) => point.s)) },
    color: { domain: paths, range: SERIES },
    symbol: { domain: paths },
    marks: [
      Plot.line(points, { fx: "to", x: "n", y: "s", stroke: "path", strokeWidth: 1.8, sort: "n" }),
      Plot.dot(points, { fx: "to", x: "n", y: "s", stroke: "path", symbol: "path", r: 3 }),
      Plot.text(apart(ends), {
        fx: "to", x: "n", y: "at", text: "path", textAnchor: "start", dx: 10, fill: "currentColor",
      }),
    ],
  });
}

/** Names at the ends of lines, moved apart where they would cover each other. */
function apart<P extends { to: string; s: number }>(ends: P[]): (P & { at: number })[] {
  const step = 1.6;
  return [...Map.groupBy(ends, (end) => end.to).values()].flatMap((group) => {
    let least = 0;
    return [...group].sort((a, b) => a.s - b.s).map((end) => {
      const at = Math.max(end.s, least * step);
      least = at;
      return { ...end, at };
    });
  });
}

function middle(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const high = sorted[half] ?? 0;
  return sorted.length % 2 ? high : ((sorted[half - 1] ?? 0) + high) / 2;
}

void draw();
