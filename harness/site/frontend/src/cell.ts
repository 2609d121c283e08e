/** One cell: what ran, what came of it, and the lines of `results.json` that say so. */

import { Cells, type Table, load } from "./data.js";
import { byId, el, plural, seconds } from "./dom.js";
import { type Lines, pretty } from "./lines.js";
import { address, read } from "./state.js";

interface Stage {
  name: string;
  wall_s: number;
  cpu_s: number | null;
  n: number;
}

interface Probe {
  name: string;
  status: string;
  variant: string | null;
  cold?: boolean;
  phase: string | null;
  message: string | null;
  stages: Stage[];
  details: Record<string, unknown>;
}

interface Trial {
  remedy: string;
  verified: boolean | null;
  cell: string;
  change: string;
  message: string | null;
}

interface CellRecord {
  id: string;
  axes: Record<string, string | null>;
  status: string;
  phase: string | null;
  cause: string | null;
  message: string | null;
  wall_s: number;
  resolve_s: number;
  provision_s: number;
  max_rss_mb: number;
  identity: Record<string, unknown>;
  findings: string[];
  evidence: Record<string, string>;
  probes: Probe[];
  control: string | null;
  lock: string | null;
  started_at: string;
  ending: { exit_code: number | null; signal: string | null };
  trials?: Trial[];
  attempts?: string[];
}

/** A record with the lines of `results.json` at which it stands. */
interface Placed {
  id: string;
  record: CellRecord;
  lines: Lines;
  start: number;
}

interface Log {
  name: string;
  text: string;
  size: number;
  cut: number;
  path: string | null;
}

export async function cell(): Promise<void> {
  const table = await load<Table>("cells", "data/cells.js");
  if (!table) return;
  const cells = new Cells(table);
  let shown = "";
  const show = async (): Promise<void> => {
    const state = read();
    const id = state["cell"] ?? "";
    if (id !== shown) {
      shown = id;
      await new View(cells, byId("cell")).show(id);
    }
    mark(state["line"]);
    document.documentElement.dataset["ready"] = id;
  };
  addEventListener("hashchange", () => void show());
  await show();
}

async function recordOf(cells: Cells, row: number): Promise<string | null> {
  const at = cells.table.at[row] ?? 0;
  const number = Math.floor(at / cells.table.chunk);
  const texts = await load<string[]>(`records-${number}`, `data/records-${number}.js`);
  return texts?.[at % cells.table.chunk] ?? null;
}

/** Show a line of the source, opened where it was closed. */
function mark(line: string | undefined): void {
  document.querySelectorAll(".marked").forEach((one) => one.classList.remove("marked"));
  const found = line ? document.getElementById(`L${line}`) : null;
  if (!found) return;
  found.closest("details")?.setAttribute("open", "");
  found.classList.add("marked");
  found.scrollIntoView({ block: "center" });
}

class View {
  private at: Placed | null = null;
  private row = -1;
  private id = "";

  constructor(
    private readonly cells: Cells,
    private readonly place: HTMLElement,
  ) {}

  async show(id: string): Promise<void> {
    this.id = id;
    this.row = this.cells.row(id);
    if (this.row < 0) {
      this.place.replaceChildren(
        el("h1", {}, "No such cell"),
        el("p", {}, id ? `These results have no cell ${id}. ` : "No cell is named. ",
          el("a", { href: "index.html" }, "See all cells.")),
      );
      return;
    }
    document.title = `${id}: ${this.cells.status(this.row)}`;
    this.at = await this.placed(this.row);
    if (!this.at) {
      this.place.replaceChildren(el("h1", {}, id), el("p", {}, "Its record is missing here."));
      return;
    }
    const record = this.at.record;
    const control = await this.placed(this.cells.table.control[this.row] ?? -1);
    this.place.replaceChildren(
      ...this.head(record),
      ...this.why(record),
      ...this.identity(record),
      ...this.stages(record, control),
      ...this.evidence(record),
      ...this.repeat(record),
      this.source(this.at),
    );
    await this.logs();
  }

  private async placed(row: number): Promise<Placed | null> {
    const json = row < 0 ? null : await recordOf(this.cells, row);
    if (json === null) return null;
    const record = JSON.parse(json) as CellRecord;
    return { id: record.id, record, lines: pretty(json, "  "), start: this.cells.table.first[row] ?? 0 };
  }

  /** A number with the line that it is from. */
  private number(text: string, place: string, raw: number | string, at = this.at): HTMLElement {
    const row = at?.lines.places.get(place);
    if (!at || row === undefined) return el("span", {}, text);
    const line = at.start + row;
    return el("a", {
      class: "n",
      href: address({ cell: at.id, line: String(line) }),
      "data-line": line,
      "data-raw": raw,
      title: `results.json, line ${line}`,
    }, text);
  }

  /** The time of one repetition: a quotient of two lines. */
  private each(stage: Stage, place: string, at = this.at): HTMLElement {
    const text = seconds(stage.wall_s / Math.max(stage.n, 1));
    const [wall, n] = ["wall_s", "n"].map((key) => at?.lines.places.get(`${place}/${key}`));
    if (!at || wall === undefined || n === undefined) return el("span", {}, text);
    const lines = [at.start + wall, at.start + n];
    return el("a", {
      class: "n",
      href: address({ cell: at.id, line: String(lines[0]) }),
      "data-lines": lines.join(" "),
      "data-raw": stage.wall_s / Math.max(stage.n, 1),
      title: `results.json, line ${lines[0]} divided by line ${lines[1]}`,
    }, text);
  }

  private badge(status: string): HTMLElement {
    return el("span", { class: `badge ${status}` },
      el("span", { "aria-hidden": "true" }, this.cells.symbol(status)), ` ${status}`);
  }

  private *head(record: CellRecord): Iterable<HTMLElement> {
    const axes = record.axes;
    const bridge = [axes["path"], axes["transport"], axes["bridge"]].filter(Boolean).join(" ");
    const title = [
      bridge,
      axes["r"] ? `R ${axes["r"]}` : "",
      axes["python"] ? `Python ${axes["python"]}` : "",
      this.cells.framework(this.row),
      ...this.cells.table.axes.slice(7).map((pin) => (axes[pin] ? `${pin} ${axes[pin]}` : "")),
      axes["cuda"] && axes["cuda"] !== "cpu" ? `CUDA ${axes["cuda"]}` : "",
    ].filter(Boolean);
    const phase = record.phase ? ` at ${record.phase}` : "";
    yield el("p", { class: "crumbs" }, el("a", { href: "index.html" }, "What works"), " / cell");
    yield el("h1", {}, title.join(", "));
    yield el("p", { class: "verdict" }, this.badge(record.status), phase);
    yield el("p", { class: "id" }, el("code", {}, record.id));
    const machine = this.cells.table.machines[this.cells.table.machine[this.row] ?? 0] ?? "";
    const facts: [string, (Node | string)[]][] = [
      ["Started", [record.started_at ? moment(record.started_at) : "never"]],
      ["Machine", [machine]],
      ["Took", [this.number(seconds(record.wall_s), "wall_s", record.wall_s)]],
      ["Before that", [
        "resolving ", this.number(seconds(record.resolve_s), "resolve_s", record.resolve_s),
        ", installing ", this.number(seconds(record.provision_s), "provision_s", record.provision_s),
      ]],
      ["Memory", [this.number(`${record.max_rss_mb.toFixed(0)} MB`, "max_rss_mb", record.max_rss_mb)]],
    ];
    yield facts_(facts);
  }

  private *why(record: CellRecord): Iterable<HTMLElement> {
    if (record.status !== "pass") {
      yield el("h2", { id: "why" }, "Why");
      const said = record.message ?? this.cells.value("message", this.row) ?? "";
      if (said) yield el("p", { class: "said" }, said);
    }
    const cause = record.cause ? this.cells.table.causes[record.cause] : undefined;
    if (record.cause) {
      const link = cause
        ? el("a", { href: `causes/${record.cause}.html` }, record.cause)
        : el("code", {}, record.cause);
      yield el("p", {}, el("strong", {}, "Cause: "), link, cause ? `: ${cause.means}` : "");
      if (cause) yield el("p", {}, cause.why);
    } else if (["fail", "crash", "timeout", "oom"].includes(record.status)) {
      yield el("p", {}, "No known cause fits, so none is named.");
    }
    yield* this.beside(record);
    yield* this.remedies(record);
    if (record.findings.length) {
      yield el("p", {}, "Noticed, and dealt with:");
      yield el("ul", {}, ...record.findings.map((finding) => el("li", {}, finding)));
    }
  }

  private *beside(record: CellRecord): Iterable<HTMLElement> {
    const row = this.cells.table.control[this.row] ?? -1;
    const words = this.cells.value("blame", this.row);
    if (row >= 0 && record.control) {
      yield el("p", {}, el("strong", {}, "Control: "), this.badge(this.cells.status(row)), " ",
        el("a", { class: "id", href: address({ cell: record.control }) }, record.control), ". ", words || "");
    } else if (words) yield el("p", {}, words);
  }

  private *remedies(record: CellRecord): Iterable<HTMLElement> {
    const known = record.cause ? (this.cells.table.causes[record.cause]?.remedies ?? []) : [];
    const trials = record.trials ?? [];
    if (!known.length && !trials.length) return;
    yield el("h3", {}, "What makes it pass");
    const items: HTMLElement[] = [];
    for (const remedy of known) {
      const trial = trials.find((one) => one.remedy === remedy.id);
      const item = el("li", {}, remedy.text, " ", proof(trial, remedy.system));
      if (remedy.command) item.append(el("pre", {}, remedy.command));
      items.push(item);
    }
    for (const trial of trials) {
      if (known.some((remedy) => remedy.id === trial.remedy)) continue;
      items.push(el("li", {}, trial.remedy, trial.change ? ` (${trial.change})` : "", " ", proof(trial, false)));
    }
    yield el("ul", { class: "remedies" }, ...items);
  }

  private *identity(record: CellRecord): Iterable<HTMLElement> {
    yield el("h2", { id: "versions" }, "Versions, read back from inside");
    const rows: [string, string, string][] = [];
    const walk = (value: unknown, place: string, name: string): void => {
      if (value !== null && typeof value === "object") {
        for (const [key, inner] of Object.entries(value)) {
          walk(inner, `${place}/${key}`, name ? `${name} ${key}` : key);
        }
      } else if (value !== null) rows.push([name, String(value), place]);
    };
    walk(record.identity, "identity", "");
    if (!rows.length) {
      yield el("p", {}, "Nothing could be read back: it did not get that far.");
      return;
    }
    const body = rows.map(([name, text, place]) =>
      el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, this.number(text, place, text))));
    yield scroll("Versions", el("table", { class: "facts" },
      el("caption", { class: "hidden" }, "Versions, read back from inside"),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "What"), el("th", { scope: "col" }, "Value"))),
      el("tbody", {}, ...body)));
  }

  private *stages(record: CellRecord, control: Placed | null): Iterable<HTMLElement> {
    yield el("h2", { id: "stages" }, "What ran");
    if (!record.probes.length) yield el("p", {}, "No probe was started.");
    for (const [at, probe] of record.probes.entries()) {
      const label = [probe.variant, probe.cold ? "cold" : ""].filter(Boolean).join(", ");
      yield el("h3", {}, probe.name, label ? ` (${label})` : "", " ", this.badge(probe.status),
        probe.phase ? ` at ${probe.phase}` : "");
      if (probe.message) yield el("p", { class: "said" }, probe.message);
      const its = control?.record.probes.findIndex((one) =>
        one.name === probe.name && one.variant === probe.variant && Boolean(one.cold) === Boolean(probe.cold));
      if (probe.stages.length) yield this.times(probe, at, control, its ?? -1);
      if (Object.keys(probe.details).length) {
        yield el("details", {}, el("summary", {}, "What its oracle looked at"),
          el("pre", { tabindex: 0 }, JSON.stringify(probe.details, null, 1)));
      }
    }
  }

  private times(probe: Probe, at: number, control: Placed | null, its: number): HTMLElement {
    const theirs = control?.record.probes[its]?.stages ?? [];
    const body = probe.stages.map((stage, n) => {
      const place = `probes/${at}/stages/${n}`;
      const other = theirs.findIndex((one) => one.name === stage.name);
      const cells = [
        el("td", { class: "number" }, this.number(seconds(stage.wall_s), `${place}/wall_s`, stage.wall_s)),
        el("td", { class: "number" },
          stage.cpu_s === null ? "–" : this.number(seconds(stage.cpu_s), `${place}/cpu_s`, stage.cpu_s)),
        el("td", { class: "number" }, this.number(stage.n.toLocaleString("en"), `${place}/n`, stage.n)),
        el("td", { class: "number" }, this.each(stage, place)),
      ];
      if (theirs.length) {
        const found = theirs[other];
        cells.push(el("td", { class: "number" },
          found ? this.each(found, `probes/${its}/stages/${other}`, control) : "–"));
      }
      return el("tr", {}, el("th", { scope: "row" }, stage.name), ...cells);
    });
    const heads = ["Wall time", "Processor", "Repetitions", "Each", ...(theirs.length ? ["Each, control"] : [])];
    return scroll(`Stages of ${probe.name}`, el("table", { class: "stages" },
      el("caption", { class: "hidden" }, `Stages of ${probe.name}`),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Stage"),
        ...heads.map((head) => el("th", { scope: "col", class: "number" }, head)))),
      el("tbody", {}, ...body)));
  }

  private *evidence(record: CellRecord): Iterable<HTMLElement> {
    const texts = Object.entries(record.evidence).filter(([, text]) => text);
    if (texts.length) yield el("h2", { id: "evidence" }, "Evidence");
    for (const [name, text] of texts) {
      yield el("h3", {}, name);
      yield el("pre", { class: "log", tabindex: 0, role: "region", "aria-label": name }, text);
    }
    const { exit_code, signal } = record.ending;
    if (signal) yield el("p", {}, `Its process was ended by ${signal}.`);
    else if (exit_code !== null) {
      yield el("p", {}, "Its process ended with status ",
        this.number(String(exit_code), "ending/exit_code", exit_code), ".");
    }
    yield el("section", { id: "logs" });
  }

  private *repeat(record: CellRecord): Iterable<HTMLElement> {
    yield el("h2", { id: "repeat" }, "Repeat it");
    const matrix = this.cells.table.matrix;
    const names = matrix.split("+");
    const file = names.length === 1 ? `matrices/${matrix}.yaml` : "MATRIX.yaml";
    const which = names.length === 1 ? "" : `, with the file of its matrix, one of ${names.join(", ")}`;
    yield el("p", {}, `With the harness, from its repository${which}:`);
    yield el("pre", { tabindex: 0 }, `harness run ${file} --only '${record.id}'`);
    yield el("p", {}, "Without the harness, from a folder that holds this site's ",
      el("a", { href: "results.json" }, "results.json"), ":");
    yield el("pre", { tabindex: 0 }, `harness repro . '${record.id}'`);
    if (record.lock) yield el("p", {}, "Lock of what was installed: ", el("code", {}, record.lock));
  }

  private source({ lines: { lines }, start }: Placed): HTMLElement {
    const last = start + lines.length - 1;
    const rows = lines.map((text, n) =>
      el("span", { class: "line", id: `L${start + n}`, "data-n": start + n }, text));
    return el("details", { id: "source" },
      el("summary", {}, `results.json, lines ${start} to ${last}`),
      el("pre", { class: "source", tabindex: 0, role: "region", "aria-label": "results.json" }, ...rows));
  }

  private async logs(): Promise<void> {
    const at = this.cells.table.at[this.row] ?? 0;
    const place = byId("logs");
    const id = this.id;
    place.append(el("h2", {}, "Log"));
    const logs = this.cells.table.logs[at]
      ? await load<Log[]>(`logs-${at}`, `data/logs/${at}.js`)
      : null;
    if (id !== this.id) return;
    if (!logs?.length) {
      place.append(el("p", {}, "No log of this cell was published."));
      return;
    }
    for (const log of logs) {
      if (!log.text) {
        place.append(el("p", {}, el("code", {}, log.name), ": empty"));
        continue;
      }
      const cut = log.cut ? `, of which ${plural(log.cut, "byte")} are left out` : "";
      place.append(el("details", {},
        el("summary", {}, log.name, ` (${plural(log.size, "byte")}${cut})`),
        el("p", {}, el("a", { href: log.path ?? "" }, "as a file")),
        el("pre", { class: "log", tabindex: 0, role: "region", "aria-label": log.name }, log.text)));
    }
  }
}

function facts_(facts: [string, (Node | string)[]][]): HTMLElement {
  const list = el("dl", { class: "facts" });
  for (const [name, parts] of facts) {
    const value = el("dd", {});
    value.append(...parts);
    list.append(el("div", {}, el("dt", {}, name), value));
  }
  return list;
}

function proof(trial: Trial | undefined, system: boolean): HTMLElement {
  const [kind, words] = outcome(trial, system);
  return el("span", { class: `proof ${kind}` }, `[${words}]`);
}

function outcome(trial: Trial | undefined, system: boolean): [string, string] {
  const change = trial?.change ? `: ${trial.change}` : "";
  if (!trial) return ["open", system ? "not tried: it changes the system" : "not tried"];
  if (trial.verified === null) return ["open", `not tried here${trial.message ? `: ${trial.message}` : ""}`];
  if (!trial.verified) return ["no", `tried${change}, and it did not help`];
  if (trial.message) return ["yes", `proven${change}; then something else shows: ${trial.message}`];
  return ["yes", `proven${change}; the cell passes with it`];
}

function scroll(label: string, table: HTMLElement): HTMLElement {
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, table);
}

/** A moment in UTC, to the minute. */
function moment(text: string): string {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return text;
  return `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
