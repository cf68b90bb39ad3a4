/** `meridian context`: the servers that a person works with, by name, in a file of their own. */
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { newContext } from "./context/new-context.ts";
import {
  type ContextFile,
  contextFilePath,
  readContextFile,
  type ServerContext,
  writeContextFile,
} from "./context-file.ts";
import { exitCodes } from "./exit-codes.ts";
import { Failure } from "./failure.ts";
import { paintFor } from "./output/paint.ts";
import { type Column, renderTable } from "./output/table.ts";
import type { Program } from "./program-type.ts";
import type { Terminal } from "./terminal.ts";
import { parseFingerprintFlag } from "./trust.ts";
import { formatAddress, parseAddress } from "./values/address.ts";
import { examples } from "./verbs.ts";

export function registerContext(program: Program, terminal: Terminal): void {
  const noun = program
    .command("context")
    .summary("name the servers that you work with")
    .description("Names the servers that you work with. They are kept in a file that only you can read.");
  const path = (): string => contextFilePath(terminal.environment);
  const read = (): ContextFile => readContextFile(path());
  const write = (content: ContextFile): void => writeContextFile(path(), content);

  noun
    .command("list")
    .summary("list contexts")
    .description("Lists contexts; the current one has a star. Tokens are not shown.")
    .option("--json", "print JSON")
    .addHelpText("after", examples("context list"))
    .action(({ json }) => printContexts(terminal, read(), json === true));

  noun
    .command("use")
    .argument("<context>", "the context's name")
    .summary("work with a context from now on")
    .description("Makes a context the current one: verbs use its server unless they are told another.")
    .addHelpText("after", examples("context use office"))
    .action((name) => {
      const content = read();
      const { server } = existing(content, name);
      write({ ...content, current: name });
      terminal.stdout.write(`${name} (${server}) is used from now on\n`);
    });

  noun
    .command("set")
    .argument("<context>", "the context's name")
    .summary("add or change a context")
    .description("Adds a context, or changes what the flags say. The first one becomes the current one.")
    .addOption(
      new Option("--server <address>", "the server's gRPC address").argParser((text) =>
        formatAddress(parseAddress(text)),
      ),
    )
    .option("--token <token>", "proves who you are; better in MERIDIAN_TOKEN, since others can see your flags")
    .addOption(
      new Option("--ca-fingerprint <digest>", "the server's CA, as its log has it: sha256:…").argParser(
        parseFingerprintFlag,
      ),
    )
    .option("--ca-file <file>", "or its certificate in PEM")
    .option("--data-dir <dir>", "or take everything from the data directory of a server on this machine")
    .addHelpText(
      "after",
      examples(
        "context set here --data-dir ./meridian-data",
        "context set office --server pool.example.com:7070 --ca-fingerprint sha256:9f2c…",
      ),
    )
    .action(async (name, flags) => {
      checkName(name);
      const content = read();
      const old = content.contexts[name];
      const context = await newContext(name, { old, flags }, terminal);
      write({ current: content.current ?? name, contexts: { ...content.contexts, [name]: context } });
      terminal.stdout.write(`${name} is ${context.server}\n`);
    });

  noun
    .command("delete")
    .argument("<context>", "the context's name")
    .summary("forget a context")
    .description("Forgets a context and its token.")
    .addHelpText("after", examples("context delete office"))
    .action((name) => {
      const content = read();
      existing(content, name);
      const { [name]: _forgotten, ...contexts } = content.contexts;
      const { current } = content;
      write({ contexts, ...(current !== undefined && current !== name && { current }) });
      terminal.stdout.write(`${name} deleted\n`);
    });
}

interface ContextRow extends ServerContext {
  readonly name: string;
  readonly isCurrent: boolean;
}

const columns: readonly Column<ContextRow>[] = [
  { title: "", text: ({ isCurrent }) => (isCurrent ? "*" : "") },
  { title: "NAME", text: ({ name }) => name },
  { title: "SERVER", text: ({ server }) => server },
  { title: "CA", text: ({ ca, caFingerprint }) => caFingerprint ?? (ca === undefined ? "none" : "from a file") },
  { title: "TOKEN", text: ({ token }) => (token === undefined ? "none" : "stored") },
];

function printContexts(terminal: Terminal, { current, contexts }: ContextFile, isJson: boolean): void {
  const { stdout, stderr } = terminal;
  const rows = Object.entries(contexts).map(([name, context]) => ({ name, ...context, isCurrent: name === current }));
  if (isJson) {
    const shown = rows.map(({ name, server, token, caFingerprint, ca, isCurrent }) => ({
      name,
      server,
      ...(caFingerprint !== undefined && { caFingerprint }),
      hasCa: ca !== undefined,
      hasToken: token !== undefined,
      isCurrent,
    }));
    stdout.write(`${JSON.stringify({ contexts: shown }, undefined, 2)}\n`);
  } else if (rows.length === 0) {
    stderr.write("There are no contexts. `meridian context set NAME --server HOST:PORT` adds one.\n");
  } else {
    stdout.write(renderTable(rows, columns, { width: stdout.columns(), paint: paintFor(terminal, stdout) }));
  }
}

function existing({ contexts }: ContextFile, name: string): ServerContext {
  const context = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (context === undefined) {
    throw new Failure(`there is no context ${name}`, {
      exitCode: exitCodes.notFound,
      hint: "`meridian context list` shows those there are.",
    });
  }
  return context;
}

function checkName(name: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name)) {
    throw new InvalidArgumentError("A context's name has letters, digits, '.', '_' and '-', at most 63.");
  }
}
