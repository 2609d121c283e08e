// Builds ../assets from src: one script for the tables, one for the charts, the licences of all
// that is in them. `node build.mjs --check` says whether the folder is what the sources give.
import { build } from "esbuild";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const assets = join(here, "..", "assets");

const made = await build({
  absWorkingDir: here,
  entryPoints: ["src/site.ts", "src/charts.ts"],
  outdir: assets,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022"],
  charset: "ascii", // whatever encoding a server names
  legalComments: "none", // licences.txt has them whole
  metafile: true,
  write: false,
});

const files = new Map(made.outputFiles.map((file) => [file.path, file.text]));
files.set(join(assets, "licences.txt"), licences(Object.keys(made.metafile.inputs)));

if (process.argv.includes("--check")) {
  const stale = [...files].filter(([path, text]) => !existsSync(path) || readFileSync(path, "utf8") !== text);
  for (const [path] of stale) console.error(`${path} is not what the sources give: run nox -s site`);
  process.exit(stale.length ? 1 : 0);
}
for (const [path, text] of files) writeFileSync(path, text);

function licences(inputs) {
  const packages = new Set();
  for (const input of inputs) {
    const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\//u.exec(input);
    if (found) packages.add(found[1]);
  }
  const blocks = [...packages].sort().map((name) => {
    const folder = join(here, "node_modules", name);
    const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const texts = readdirSync(folder)
      .filter((file) => /^(licen[cs]e|copying|notice)/iu.test(file))
      .sort()
      .map((file) => readFileSync(join(folder, file), "utf8").trim());
    if (!texts.length) throw new Error(`${name} comes without the text of its licence`);
    return `${name} ${about.version} (${about.license})\n\n${texts.join("\n\n")}`;
  });
  const rule = `\n\n${"-".repeat(80)}\n\n`;
  return `These packages are part of the scripts in this folder.${rule}${blocks.join(rule)}\n`;
}
