/** The lines of `results.json` at which a record stands, from the text of its JSON. */

export interface Lines {
  /** As they stand in the file. */
  lines: string[];
  /** Index into `lines` by place: `probes/0/stages/2/wall_s`. */
  places: Map<string, number>;
}

/** Write JSON as the harness does, one value a line; no number or escape is changed by it. */
export function pretty(json: string, indent: string): Lines {
  const lines: string[] = [];
  const places = new Map<string, number>();
  let at = 0;

  function string(): string {
    const start = at++;
    while (json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
    return json.slice(start, ++at);
  }

  function value(prefix: string, depth: string, place: string): void {
    const letter = json[at];
    const row = lines.length;
    places.set(place, row);
    if (letter === '"') lines.push(prefix + string());
    else if (letter === "{" || letter === "[") group(letter, prefix, depth, place);
    else {
      const start = at;
      while (at < json.length && !",]}".includes(json[at] as string)) at++;
      lines.push(prefix + json.slice(start, at));
    }
  }

  function group(open: "{" | "[", prefix: string, depth: string, place: string): void {
    const close = open === "{" ? "}" : "]";
    at++;
    if (json[at] === close) {
      at++;
      lines.push(prefix + open + close);
      return;
    }
    lines.push(prefix + open);
    const inner = `${depth} `;
    for (let number = 0; ; number++) {
      let head = inner;
      let name = String(number);
      if (open === "{") {
        const key = string();
        at++; // the colon
        head = `${inner}${key}: `;
        name = JSON.parse(key) as string;
      }
      value(head, inner, place ? `${place}/${name}` : name);
      if (json[at++] === close) break;
      lines[lines.length - 1] += ",";
    }
    lines.push(depth + close);
  }

  value(indent, indent, "");
  return { lines, places };
}
