// Says what Microsoft's Kusto language service makes of queries. Standard input, JSON:
//   {"tables": {"Table": {"Column": "type"}}, "queries": {"name": "text"}}
// Standard output, JSON, by query:
//   {"name": {"problems": ["line:column: what is wrong"], "columns": {"Column": "type"}}}
"use strict";

require("@kusto/language-service-next/bridge.min.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.min.js");

const { GlobalState, KustoCode, Symbols } = Kusto.Language;

function list(items) {
  const found = [];
  for (let index = 0; index < items.Count; index++) found.push(items.getItem(index));
  return found;
}

function makeTable([name, columns]) {
  const schema = Object.entries(columns).map(([column, type]) => `${column}: ${type}`);
  return Symbols.TableSymbol.From(`(${schema.join(", ")})`).WithName(name);
}

function locate(text, offset) {
  const lines = text.slice(0, offset).split("\n");
  return `${lines.length}:${lines.at(-1).length + 1}`;
}

function check(text, globals) {
  const code = KustoCode.ParseAndAnalyze(text, globals);
  const problems = list(code.GetDiagnostics()).map(
    (problem) => `${locate(text, problem.Start)}: ${problem.Severity}: ${problem.Message}`,
  );
  const columns = code.ResultType?.Columns ? list(code.ResultType.Columns) : [];
  return { problems, columns: Object.fromEntries(columns.map((column) => [column.Name, column.Type.Name])) };
}

const { tables, queries } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const database = new Symbols.DatabaseSymbol.ctor("workspace", Object.entries(tables).map(makeTable));
const globals = GlobalState.Default.WithDatabase(database);
const answers = Object.entries(queries).map(([name, text]) => [name, check(text, globals)]);
process.stdout.write(JSON.stringify(Object.fromEntries(answers)));
