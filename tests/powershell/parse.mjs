// parse.mjs - print what of the standard input is not PowerShell, a line for each place.

import { readFileSync } from "node:fs";
import { Language, Parser } from "web-tree-sitter";

await Parser.init();
const parser = new Parser();
parser.setLanguage(await Language.load("node_modules/tree-sitter-powershell/tree-sitter-powershell.wasm"));

function tell(node) {
  if (node.isError || node.isMissing) {
    console.log(`line ${node.startPosition.row + 1}: ${node.isMissing ? `no ${node.type}` : node.text.slice(0, 80)}`);
  }
  node.children.forEach(tell);
}
tell(parser.parse(readFileSync(0, "utf8")).rootNode);
