// Runs a Python program that reads lines from stdin in a Python of WebAssembly, where this machine has none of its version.
// node compile_in_node.cjs <folder of pyodide> <program>: as `python -I -c <program>`, with the machine's files as they are.
"use strict";
const { text } = require("node:stream/consumers");

const [folder, program] = process.argv.slice(2);
const HOST = "/host"; // where the machine's files are for Python: its own lie under / and stay there

async function run() {
  const { loadPyodide } = require(`${folder}/pyodide.js`);
  const python = await loadPyodide({ indexURL: `${folder}/` });
  python.FS.mkdirTree(HOST);
  python.FS.mount(python.FS.filesystems.NODEFS, { root: "/" }, HOST);
  const lines = (await text(process.stdin)).split("\n").filter(Boolean); // a list may be more than a pipe holds at once
  const moved = lines.map((line) => line.split("\t").map((path, place) => (place % 2 === 0 && path ? HOST + path : path)));
  python.globals.set("_lines", moved.map((fields) => fields.join("\t") + "\n").join(""));
  python.runPython("import io, sys\nsys.stdin = io.StringIO(_lines)\n" + program);
}

run().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
